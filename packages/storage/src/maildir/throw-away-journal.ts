/**
 * For stores that are written to without flushes. After a power cut mail may be missing, and a journal that knows it
 * would take that for an expunge. So what is written stays in memory, and the journal on disk forgets the mailbox:
 * the next run compares it in full.
 */
import type { MailboxGuid } from '@dsync/protocol';

import type { Journal, JournalHead, JournalStep } from '../journal/journal.ts';
import { createMemoryJournal, type MemoryJournal } from '../journal/memory-journal.ts';

/** @param base the journal on disk, which is closed with it */
export function throwAwayJournal(base: Journal): Journal {
  return new ThrowAway(base);
}

class ThrowAway implements Journal {
  readonly #base: Journal;
  readonly #memory: MemoryJournal = createMemoryJournal();
  /** Mailboxes that live in memory now, or are gone. */
  readonly #taken = new Set<MailboxGuid>();

  constructor(base: Journal) {
    this.#base = base;
  }

  heads(): ReadonlyMap<MailboxGuid, JournalHead> {
    const heads = new Map(this.#base.heads());
    for (const guid of this.#taken) heads.delete(guid);
    for (const [guid, head] of this.#memory.heads()) heads.set(guid, head);
    return heads;
  }

  head(guid: MailboxGuid): JournalHead | undefined {
    return this.#of(guid).head(guid);
  }

  mails(guid: MailboxGuid): ReturnType<Journal['mails']> {
    return this.#of(guid).mails(guid);
  }

  mail(guid: MailboxGuid, uid: number): ReturnType<Journal['mail']> {
    return this.#of(guid).mail(guid, uid);
  }

  expunges(guid: MailboxGuid, since: bigint): ReturnType<Journal['expunges']> {
    return this.#of(guid).expunges(guid, since);
  }

  attributes(guid: MailboxGuid): ReturnType<Journal['attributes']> {
    return this.#of(guid).attributes(guid);
  }

  async write(steps: readonly JournalStep[]): Promise<void> {
    for (const { head, formerGuid } of steps) {
      if (formerGuid !== undefined) await this.#take(formerGuid);
      await this.#take(head.guid);
    }
    this.#memory.apply(steps);
  }

  names(): ReturnType<Journal['names']> {
    return this.#base.names();
  }

  writeNames(names: Parameters<Journal['writeNames']>[0]): Promise<void> {
    return this.#base.writeNames(names);
  }

  deletedMailboxes(): ReadonlyMap<MailboxGuid, number> {
    return this.#base.deletedMailboxes();
  }

  metAt(peer: string): ReturnType<Journal['metAt']> {
    return this.#base.metAt(peer);
  }

  /** Modseqs of this run mean nothing in the next one, and a mailbox of which nothing is known loses nothing. */
  async writeMet(): Promise<void> {}

  privateFlags(guid: MailboxGuid): ReturnType<Journal['privateFlags']> {
    return this.#base.privateFlags(guid);
  }

  async writePrivateFlags(): Promise<void> {}

  async dropMailbox(guid: MailboxGuid, deletedAt: number | null): Promise<void> {
    this.#taken.add(guid);
    this.#memory.drop(guid, null);
    await this.#base.dropMailbox(guid, deletedAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#base[Symbol.asyncDispose]();
  }

  #of(guid: MailboxGuid): Journal {
    return this.#taken.has(guid) ? this.#memory : this.#base;
  }

  async #take(guid: MailboxGuid): Promise<void> {
    if (this.#taken.has(guid)) return;
    this.#taken.add(guid);
    const head = this.#base.head(guid);
    if (head === undefined) return;
    const [put, expunged, attributes] = [
      this.#base.mails(guid),
      this.#base.expunges(guid, 0n),
      this.#base.attributes(guid),
    ];
    this.#memory.apply([{ head, put, expunged, attributes }]);
    await this.#base.dropMailbox(guid, null);
  }
}
