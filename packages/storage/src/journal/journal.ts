/**
 * History for stores that keep none: modseqs, expunges, deletions, renames and subscription times. A journal belongs to
 * one store. Losing it costs a full comparison, never a mail: nothing is deleted for want of an entry.
 */
import type { MailboxGuid, MailboxPath, Modseq, Uid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { MailRecord, PrivateFlags } from '../mail-store.ts';
import type { Met } from '../met.ts';

/** What is remembered of one mail; `name` is the driver's own word for where it lies (Maildir: the file's base name). */
export interface JournalMail extends MailRecord {
  readonly name: string;
}

/** What is remembered of a mail that is gone. `guid`: as text or in its 128-bit form. */
export interface JournalExpunge {
  readonly uid: Uid;
  readonly guid: string;
  readonly modseq: Modseq;
}

/** What is remembered of one mailbox without its mails: small, so that all heads can be read at every run. */
export interface JournalHead {
  readonly guid: MailboxGuid;
  readonly path: MailboxPath;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModseq: Modseq;
  /**
   * Mails with a lower modseq count as having this one: HIGHESTMODSEQ when a sync first looked at the mailbox, because
   * only then per-mail modseqs begin, as in a Dovecot's index. 0 until then.
   */
  readonly baseModseq: Modseq;
  readonly firstRecentUid: number;
  readonly messages: number;
  /** digest.ts, over the mails and attributes. */
  readonly digest: bigint;
  /** Driver's text of the metadata seen when the mails were last listed; equal text, nothing changed. Empty: list again. */
  readonly fingerprint: string;
  /** The history of expunges is complete for changes after this modseq. */
  readonly historyFrom: Modseq;
  /** How far another program's own history of the mailbox has been read, in the driver's words; absent: not known. */
  readonly readTo?: string;
}

/** A metadata entry, or that it was deleted. `changedAt`: Unix seconds, 0 = unknown. */
export interface JournalAttribute {
  readonly scope: 'private' | 'shared';
  readonly key: string;
  /** null: deleted. */
  readonly value: string | null;
  readonly changedAt: number;
  readonly modseq: Modseq;
}

/** One durable, atomic step of a mailbox's journal. */
export interface JournalStep {
  readonly head: JournalHead;
  /**
   * The head that this step was made from; null: there was none. If the journal has another by now (another process
   * wrote it), nothing of this `write` is written and it throws `JournalConflict`. Absent: no matter.
   */
  readonly before?: JournalHead | null;
  /** Forget every mail, expunge and private flag first (mailbox made anew, or a new baseline). */
  readonly reset?: boolean;
  /** The GUID that the mailbox had until now: everything remembered under it moves to `head.guid` first. */
  readonly formerGuid?: MailboxGuid;
  /** A UID that is put is no longer remembered as expunged. */
  readonly put?: Iterable<JournalMail>;
  /** UIDs whose mails are gone; expunges are to be listed besides. */
  readonly remove?: Iterable<number>;
  readonly expunged?: Iterable<JournalExpunge>;
  /** Each replaces the one of the same scope and key. */
  readonly attributes?: Iterable<JournalAttribute>;
}

/** Changes of the tree that are remembered by name. Times in Unix seconds. */
export interface JournalName {
  readonly path: MailboxPath;
  readonly renamedAt: number;
  readonly createdAt: number;
  readonly subscribed: boolean;
  readonly subscriptionChangedAt: number;
  /** Time at which a directory or mailbox of this name was removed; 0: not removed. */
  readonly removedAt: number;
}

/** One store's journal. Each method can throw a StoreError: `Corrupt` if it is damaged, `Temporary` once closed, … */
export interface Journal extends AsyncDisposable {
  /** Every head, by GUID. */
  heads(): ReadonlyMap<MailboxGuid, JournalHead>;
  head(guid: MailboxGuid): JournalHead | undefined;
  /** Mails in ascending UID order. */
  mails(guid: MailboxGuid): readonly JournalMail[];
  mail(guid: MailboxGuid, uid: number): JournalMail | undefined;
  /** Expunges with a modseq above `since`, ascending UIDs. */
  expunges(guid: MailboxGuid, since: Modseq): readonly JournalExpunge[];
  attributes(guid: MailboxGuid): readonly JournalAttribute[];
  /** @throws {JournalConflict} see `JournalStep.before`; {StoreError} `DiskFull`, `Temporary`, … */
  write(steps: readonly JournalStep[]): Promise<void>;
  /** Names with something remembered. */
  names(): readonly JournalName[];
  /** Each replaces what was remembered of the same name; one with nothing remembered is forgotten. */
  writeNames(names: readonly JournalName[]): Promise<void>;
  /** Deleted mailboxes by GUID. */
  deletedMailboxes(): ReadonlyMap<MailboxGuid, number>;
  /** How mailboxes were after the last run with this peer; of some sixteen peers. */
  metAt(peer: string): ReadonlyMap<MailboxGuid, Met>;
  /** Each replaces what was remembered of that mailbox; of a mailbox that is not in this journal nothing is. */
  writeMet(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void>;
  /** null: nothing is remembered since the mailbox began anew. */
  privateFlags(guid: MailboxGuid): PrivateFlags | null;
  /** Replaces what was remembered; of a mailbox that is not in this journal nothing is. */
  writePrivateFlags(guid: MailboxGuid, flags: PrivateFlags): Promise<void>;
  /** Forgets a mailbox; with a time, remembers that it was deleted then. */
  dropMailbox(guid: MailboxGuid, deletedAt: number | null): Promise<void>;
}

/** Hosts may have a new name every day: when there are more, all but the present one are forgotten. */
export const PEERS_REMEMBERED = 16;

/** Somebody else wrote to the journal meanwhile: look again. */
export class JournalConflict extends StoreError {
  constructor(path: MailboxPath) {
    super('Temporary', `mailbox ${path.join('/')} was changed by another process at the same moment`);
  }
}

/** Whether a step that was made from `made` may be applied to `now`: all that it counts on is still so. */
export function isSameGround(made: JournalHead | null, now: JournalHead | null): boolean {
  if (made === null) return now === null;
  // A mailbox in which there was never anything may be left out of the journal until something comes.
  if (now === null) return made.messages === 0 && made.digest === 0n;
  return (
    made.highestModseq === now.highestModseq &&
    made.digest === now.digest &&
    made.uidNext === now.uidNext &&
    made.uidValidity === now.uidValidity &&
    made.messages === now.messages &&
    made.baseModseq === now.baseModseq
  );
}
