/** The bookkeeping for what a sync itself does to a mailbox: no user's action, but an expunge is an expunge. */
import type { MailboxGuid, MailGuid, Modseq, Uid } from '@dsync/protocol';

import { addToDigest, attributeDigest, mailDigest, subtractFromDigest } from '../digest.ts';
import { StoreError } from '../errors.ts';
import type { MailboxNumbers } from '../mail-store.ts';
import { freshMail } from './fresh-mail.ts';
import type { Journal, JournalAttribute, JournalExpunge, JournalHead, JournalMail, JournalStep } from './journal.ts';
import { normalKeywords, withoutKeywords } from './keywords.ts';

/** What is remembered of a mailbox, to be asked for piece by piece. */
export interface MailboxMemory {
  readonly head: JournalHead;
  mail(uid: number): JournalMail | undefined;
  mails(): Iterable<JournalMail>;
  attributes(): readonly JournalAttribute[];
}

/** The mailbox as the journal remembers it; null if it does not. */
export function memoryOf(journal: Journal, guid: MailboxGuid): MailboxMemory | null {
  const head = journal.head(guid);
  if (head === undefined) return null;
  return {
    head,
    mail: (uid) => journal.mail(guid, uid),
    mails: () => journal.mails(guid),
    attributes: () => journal.attributes(guid),
  };
}

/** A mail as a transaction left it in the store. */
export interface SyncedMail {
  readonly uid: Uid;
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** The least modseq to store. */
  readonly modseq: Modseq;
  readonly name: string;
}

/**
 * What a transaction did. `expunged`, `flagged` and `renumbered` name mails by the UIDs that they had before; a mail
 * may be flagged and renumbered, or flagged and expunged (then it is expunged).
 */
export interface SyncChanges {
  /** Mails saved, copied or (in a rebuild) kept. */
  readonly saved?: Iterable<SyncedMail>;
  readonly flagged?: Iterable<{
    readonly uid: number;
    readonly flags: number;
    readonly keywords: readonly string[];
    readonly modseq: Modseq;
    /** Absent: as before. */
    readonly name?: string;
  }>;
  readonly renumbered?: Iterable<{ readonly from: number; readonly to: Uid; readonly name?: string }>;
  readonly expunged?: Iterable<number>;
  /** Everything that was there before is gone without history; `saved` is all there is. */
  readonly rebuilt?: boolean;
  readonly attributes?: Iterable<JournalAttribute>;
  readonly numbers?: MailboxNumbers;
  /** Of the mailbox as it is afterwards. */
  readonly fingerprint: string;
}

/**
 * Every mail that changes, and every expunge, gets a modseq above HIGHESTMODSEQ so far, so that a third store that
 * asks for changes hears of it. A flag that the sync changed has no user's last action any more.
 * @throws {StoreError} `NotFound` if a UID is named that is not remembered
 */
export function applySync(before: MailboxMemory, changes: SyncChanges): JournalStep {
  const book =
    changes.rebuilt === true
      ? Book.anew(before, changes)
      : new Book(before, before.head.digest, before.head.highestModseq + 1n);
  for (const mail of changes.flagged ?? []) book.flag(mail);
  for (const { from, to, name } of changes.renumbered ?? []) book.renumber(from, to, name);
  for (const uid of changes.expunged ?? []) book.expunge(uid);
  for (const mail of changes.saved ?? []) book.save(mail);
  for (const attribute of changes.attributes ?? []) book.setAttribute(attribute);
  return book.step(changes);
}

class Book {
  readonly #before: MailboxMemory;
  readonly #floor: Modseq;
  #digest: bigint;
  #highest: Modseq;
  #messages: number;
  #uidNext: number;
  /** By the UID before; what is flagged and not (yet) renumbered or expunged. */
  readonly #flagged = new Map<number, JournalMail>();
  readonly #saved: JournalMail[] = [];
  readonly #expunges: JournalExpunge[] = [];
  readonly #attributes = new Map<string, JournalAttribute>();

  constructor(before: MailboxMemory, digest: bigint, floor: Modseq) {
    this.#before = before;
    this.#digest = digest;
    this.#floor = floor;
    this.#highest = before.head.highestModseq;
    this.#messages = before.head.messages;
    this.#uidNext = before.head.uidNext;
  }

  /** For a rebuild: modseqs begin again where the sync says, if it does. */
  static anew(before: MailboxMemory, { numbers }: SyncChanges): Book {
    let rest = before.head.digest;
    for (const mail of before.mails()) rest = subtractFromDigest(rest, mailDigest(mail));
    const book = new Book(before, rest, numbers?.highestModseq === undefined ? before.head.highestModseq + 1n : 1n);
    book.#highest = numbers?.highestModseq ?? book.#floor;
    book.#messages = 0;
    book.#uidNext = 1;
    return book;
  }

  save(mail: SyncedMail): void {
    this.#put(freshMail(mail, this.#atLeast(mail.modseq)));
    this.#messages++;
  }

  flag(change: { uid: number; flags: number; keywords: readonly string[]; modseq: Modseq; name?: string }): void {
    const mail = this.#mail(change.uid);
    const keywords = normalKeywords(change.keywords);
    const flags = mail.flags ^ change.flags;
    const changed = [...withoutKeywords(keywords, mail.keywords), ...withoutKeywords(mail.keywords, keywords)];
    const row: JournalMail = {
      ...mail,
      modseq: this.#atLeast(change.modseq),
      flags: change.flags,
      keywords,
      addedFlags: mail.addedFlags & ~flags,
      removedFlags: mail.removedFlags & ~flags,
      addedKeywords: withoutKeywords(mail.addedKeywords, changed),
      removedKeywords: withoutKeywords(mail.removedKeywords, changed),
      name: change.name ?? mail.name,
    };
    this.#take(mail);
    this.#digest = addToDigest(this.#digest, mailDigest(row));
    this.#flagged.set(change.uid, row);
  }

  renumber(from: number, to: Uid, name: string | undefined): void {
    const mail = this.#mail(from);
    this.#take(mail);
    this.#flagged.delete(from);
    this.#expunges.push({ uid: mail.uid, guid: mail.guid, modseq: this.#atLeast(0n) });
    this.#put({ ...mail, uid: to, modseq: this.#atLeast(mail.modseq), name: name ?? mail.name });
  }

  expunge(uid: number): void {
    const mail = this.#mail(uid);
    this.#take(mail);
    this.#flagged.delete(uid);
    this.#expunges.push({ uid: mail.uid, guid: mail.guid, modseq: this.#atLeast(0n) });
    this.#messages--;
  }

  setAttribute(attribute: JournalAttribute): void {
    const id = `${attribute.scope}/${attribute.key}`;
    const now =
      this.#attributes.get(id) ??
      this.#before.attributes().find((a) => a.scope === attribute.scope && a.key === attribute.key);
    if (now !== undefined && now.value !== null) {
      this.#digest = subtractFromDigest(this.#digest, attributeDigest(now.scope, now.key, now.value));
    }
    if (attribute.value !== null) {
      this.#digest = addToDigest(this.#digest, attributeDigest(attribute.scope, attribute.key, attribute.value));
    }
    this.#attributes.set(id, { ...attribute, modseq: this.#atLeast(attribute.modseq) });
  }

  step({ rebuilt = false, numbers = {}, fingerprint }: SyncChanges): JournalStep {
    const { head } = this.#before;
    const highestModseq = later(this.#highest, numbers.highestModseq ?? 0n);
    const next: JournalHead = {
      ...head,
      guid: numbers.guid ?? head.guid,
      uidValidity: numbers.uidValidity ?? head.uidValidity,
      uidNext: Math.max(this.#uidNext, numbers.uidNext ?? 0),
      firstRecentUid: Math.max(rebuilt ? 1 : head.firstRecentUid, numbers.firstRecentUid ?? 0),
      highestModseq,
      messages: this.#messages,
      digest: this.#digest,
      fingerprint,
      // The mails of a rebuilt mailbox have the modseqs that the sync gave them, so these count at once.
      ...(rebuilt ? { baseModseq: 1n, historyFrom: highestModseq } : {}),
    };
    return {
      before: head,
      head: next,
      ...(next.guid === head.guid ? {} : { formerGuid: head.guid }),
      reset: rebuilt,
      remove: this.#expunges.map(({ uid }) => uid),
      expunged: this.#expunges,
      put: [...this.#flagged.values(), ...this.#saved],
      attributes: [...this.#attributes.values()],
    };
  }

  #mail(uid: number): JournalMail {
    const mail = this.#flagged.get(uid) ?? this.#before.mail(uid);
    if (mail === undefined)
      throw new StoreError('NotFound', `no mail with UID ${uid} in mailbox ${this.#before.head.path.join('/')}`);
    return mail;
  }

  #atLeast(modseq: Modseq): Modseq {
    const result = later(modseq, this.#floor);
    this.#highest = later(this.#highest, result);
    return result;
  }

  #put(mail: JournalMail): void {
    this.#digest = addToDigest(this.#digest, mailDigest(mail));
    this.#uidNext = Math.max(this.#uidNext, mail.uid + 1);
    this.#saved.push(mail);
  }

  #take(mail: JournalMail): void {
    this.#digest = subtractFromDigest(this.#digest, mailDigest(mail));
  }
}

function later(a: Modseq, b: Modseq): Modseq {
  return a > b ? a : b;
}
