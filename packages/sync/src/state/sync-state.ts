/** The state of `-s`: what both sides were known to have in common. */
import type { MailboxGuid, Modseq } from '@dsync/protocol';
import type { MailboxStatus } from '@dsync/storage';

/** What both sides had in common in one mailbox when a run ended. */
export interface MailboxSyncState {
  readonly uidValidity: number;
  /** Highest UID known to be equal on both sides. */
  readonly lastCommonUid: number;
  readonly lastCommonModseq: Modseq;
  readonly lastCommonPrivateModseq: Modseq;
  readonly messages: number;
}

/**
 * Nothing is known to be common: the next run looks at all of the mailbox. The modseq is 0 too, since a Dovecot takes any
 * other for the beginning of all changes.
 */
export function nothingCommon(uidValidity: number): MailboxSyncState {
  return { uidValidity, lastCommonUid: 0, lastCommonModseq: 0n, lastCommonPrivateModseq: 0n, messages: 0 };
}

/** By mailbox. A mailbox that is not in it has nothing in common. */
export type SyncState = ReadonlyMap<MailboxGuid, MailboxSyncState>;

type MailboxNumbers = Pick<MailboxStatus, 'uidValidity' | 'uidNext' | 'messages' | 'highestModseq'>;

/**
 * Whether a side has changed nothing in a mailbox since the state was made. Only what both sides
 * say of themselves shows that there is nothing to do; Dovecot asks the starting side alone.
 */
export function isUnchanged(state: MailboxSyncState, now: MailboxNumbers): boolean {
  return (
    state.lastCommonUid > 0 &&
    state.uidValidity === now.uidValidity &&
    state.lastCommonUid === now.uidNext - 1 &&
    state.lastCommonModseq === now.highestModseq &&
    state.messages === now.messages
  );
}

/** What both sides are sure of: the lower of their values. Null if they do not even have one UIDVALIDITY. */
export function commonState(a: MailboxSyncState, b: MailboxSyncState): MailboxSyncState | null {
  if (a.uidValidity !== b.uidValidity) return null;
  return {
    uidValidity: a.uidValidity,
    lastCommonUid: Math.min(a.lastCommonUid, b.lastCommonUid),
    lastCommonModseq: lower(a.lastCommonModseq, b.lastCommonModseq),
    lastCommonPrivateModseq: lower(a.lastCommonPrivateModseq, b.lastCommonPrivateModseq),
    messages: Math.min(a.messages, b.messages),
  };
}

function lower(a: Modseq, b: Modseq): Modseq {
  return a < b ? a : b;
}
