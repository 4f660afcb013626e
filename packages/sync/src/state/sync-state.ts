/** The state of `-s`: what both sides were known to have in common (sync-semantics.md 7.2, dovecot-wire.md §6). */
import type { MailboxGuid, Modseq } from '@dsync/protocol';

export interface MailboxSyncState {
  readonly uidValidity: number;
  /** Highest UID known to be equal on both sides. */
  readonly lastCommonUid: number;
  readonly lastCommonModseq: Modseq;
  readonly lastCommonPrivateModseq: Modseq;
  readonly messages: number;
}

export type SyncState = ReadonlyMap<MailboxGuid, MailboxSyncState>;
