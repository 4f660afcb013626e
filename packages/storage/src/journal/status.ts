import { printDigest } from '../digest.ts';
import type { MailboxStatus } from '../mail-store.ts';
import type { JournalHead } from './journal.ts';

/** What a store tells of a mailbox, from what is remembered of it. */
export function statusOf(head: JournalHead): MailboxStatus {
  const { guid, uidValidity, uidNext, messages, highestModseq, firstRecentUid } = head;
  return { guid, uidValidity, uidNext, messages, highestModseq, firstRecentUid, digest: printDigest(head.digest) };
}
