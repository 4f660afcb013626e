/** Numbers of what is done to the mails of one mailbox. */
import type { MailOperation } from '../mails/mail-plan.ts';
import type { MailCounts } from '../report.ts';

/** The counts of a side to which nothing was done. */
export const NO_MAILS: MailCounts = { saved: 0, copied: 0, flagged: 0, expunged: 0, renumbered: 0 };

/** What a plan comes to if it is carried out as it is. */
export function countMails(operations: readonly MailOperation[]): MailCounts {
  const count = (op: MailOperation['op']): number => operations.filter((operation) => operation.op === op).length;
  return {
    saved: count('save'),
    copied: count('copy'),
    flagged: count('flag'),
    expunged: count('expunge'),
    renumbered: count('renumber'),
  };
}

/** As they travel. */
export function appliedCounts({ saved, copied, flagged, expunged, renumbered }: MailCounts): number[] {
  return [saved, copied, flagged, expunged, renumbered];
}
