/** What both ends say at the end of a mailbox, and what they take for common from it. */
import type { MessageOf } from '@dsync/protocol';

import type { MailPlan } from '../mails/mail-plan.ts';
import type { MailCounts } from '../report.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import { appliedCounts } from './count-mails.ts';

/** What is known of a mailbox when both ends have done their part. */
export interface MailboxEnd {
  readonly ours: MessageOf<'mailbox'>;
  readonly theirs: MessageOf<'mailbox'>;
  readonly isSource: boolean;
  /** null: this side had nothing to plan. */
  readonly plan: MailPlan | null;
  /** What was done here, and what is told of it: in a dry run what would have been done. */
  readonly done: MailCounts;
  readonly told: MailCounts;
  /** Whether both sides hold the same now; if not, nothing is common that a later run could start from. */
  readonly isEqual: boolean;
  /** The common state does not hold. */
  readonly isStale: boolean;
  /** Mails got other UIDs than planned, since others changed the mailbox meanwhile. */
  readonly uidsChanged: boolean;
  readonly digest: string | undefined;
}

/** What this side can say to be common now; the lower of both sides' values will count. */
export function ownState(end: MailboxEnd): MessageOf<'mailboxState'> {
  const { ours, theirs, isSource, plan, done, isEqual, isStale } = end;
  const bothPrivate = ours.highestPrivateModseq > 0n && theirs.highestPrivateModseq > 0n;
  const uidNext = plan === null ? Math.max(ours.uidNext, theirs.uidNext) : plan.uidNext;
  return {
    kind: 'mailboxState',
    mailboxGuid: ours.mailboxGuid,
    lastUidValidity: isStale ? 0 : (plan?.uidValidity ?? ours.uidValidity),
    // Without a common UID no modseq is common either: a Dovecot would take the one for the beginning of all changes.
    lastCommonUid: isEqual ? (isSource ? ours.uidNext : uidNext) - 1 : 0,
    // The modseq that the peer had before the run: changes that users make meanwhile must be looked at next time.
    lastCommonModseq: !isEqual ? 0n : isSource ? ours.highestModseq : theirs.highestModseq,
    lastCommonPrivateModseq: !isEqual || !bothPrivate ? 0n : (isSource ? ours : theirs).highestPrivateModseq,
    messages: ours.messages + done.saved + done.copied - done.expunged,
    ...(isStale || end.uidsChanged ? { changesDuringSync: true } : {}),
    applied: appliedCounts(end.told),
    ...(end.digest === undefined ? {} : { digest: end.digest }),
  };
}

/** null: nothing that a later run could start from. */
export function commonState(
  mine: MessageOf<'mailboxState'>,
  theirs: MessageOf<'mailboxState'>,
  isStale: boolean,
): MailboxSyncState | null {
  if (isStale || theirs.lastUidValidity === 0) return null;
  const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);
  return {
    uidValidity: mine.lastUidValidity,
    lastCommonUid: Math.min(mine.lastCommonUid, theirs.lastCommonUid),
    lastCommonModseq: lower(mine.lastCommonModseq, theirs.lastCommonModseq),
    lastCommonPrivateModseq: lower(mine.lastCommonPrivateModseq, theirs.lastCommonPrivateModseq),
    messages: mine.messages ?? 0,
  };
}
