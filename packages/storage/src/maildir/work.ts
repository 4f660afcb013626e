/** What a transaction was asked to do, as the commit takes it. */
import type { MailboxGuid, MailGuid, Uid } from '@dsync/protocol';

import type { JournalMail } from '../journal/journal.ts';
import type { Attribute, MailboxNumbers, PlacedMail } from '../mail-store.ts';
import { printFileName } from './file-name.ts';
import type { Workshop } from './temporary.ts';

/** A mail that lies in tmp/ under a name that holds the one that it is to have (`workshop.name(at)`). */
export interface SavedMail {
  readonly mail: PlacedMail;
  /** `cur/…` or `new/…`. */
  readonly at: string;
  readonly base: string;
}

/** A mail whose bytes are in the mailbox already. */
export interface CopiedMail {
  readonly how: 'copy' | 'keep';
  readonly mail: PlacedMail;
  /** The mail whose bytes it has, as it was remembered. */
  readonly source: JournalMail;
}

/** The flags and keywords that a mail is to have. */
export interface FlagChange {
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: bigint;
  /** The mail when the change was asked for: what differs from it at commit, a user did. */
  readonly before: JournalMail | undefined;
}

/** Everything that was asked for. */
export interface Work {
  readonly saved: SavedMail[];
  readonly copied: CopiedMail[];
  readonly renumbered: Map<Uid, Uid>;
  readonly flagged: Map<Uid, FlagChange>;
  readonly expunged: Map<Uid, MailGuid>;
  readonly attributes: Attribute[];
  rebuild: { readonly guid: MailboxGuid; readonly uidValidity: number } | null;
  numbers: MailboxNumbers;
  readonly uidNextAtBegin: number;
  readonly workshop: Workshop;
  /** Bytes in tmp/. */
  bytes: number;
}

/** Where a new mail goes, as Dovecot has it: without flags and not yet shown to a client, to new/; else to cur/. */
export function placeOf(
  base: string,
  mail: { readonly uid: number; readonly flags: number },
  letters: string,
  firstRecentUid: number,
): string {
  if (mail.flags === 0 && letters === '' && mail.uid >= firstRecentUid) return `new/${base}`;
  return `cur/${printFileName(base, mail.flags, letters)}`;
}
