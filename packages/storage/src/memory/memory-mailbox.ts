import type { MailboxPath, MailGuid, Uid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import { beginTracking, countedModseq } from '../journal/observe.ts';
import type {
  Attribute,
  Mailbox,
  MailboxChanges,
  MailboxStatus,
  MailboxTransaction,
  MailContent,
  MailFacts,
} from '../mail-store.ts';
import type { Locks } from './locks.ts';
import type { Box, MemoryState } from './memory-state.ts';
import { MemoryTransaction } from './memory-transaction.ts';

export class MemoryMailbox implements Mailbox {
  readonly path: MailboxPath;
  readonly #state: MemoryState;
  readonly #locks: Locks;
  readonly #box: Box;

  constructor(state: MemoryState, locks: Locks, box: Box) {
    this.path = box.path;
    this.#state = state;
    this.#locks = locks;
    this.#box = box;
  }

  async status(): Promise<MailboxStatus> {
    return this.#state.status(this.#live());
  }

  changes(): Promise<MailboxChanges>;
  changes(since: { readonly uid: number; readonly modseq: bigint }): Promise<MailboxChanges | null>;
  async changes(since?: { readonly uid: number; readonly modseq: bigint }): Promise<MailboxChanges | null> {
    const box = this.#live();
    const { journal } = this.#state;
    const seen = this.#state.memory(box).head;
    const head = beginTracking(seen);
    if (head !== seen) journal.apply([{ head }]);
    if (since !== undefined && (since.modseq < head.historyFrom || since.modseq > head.highestModseq)) return null;
    const mails = journal
      .mails(box.guid)
      .map(({ name: _name, ...mail }) => ({ ...mail, modseq: countedModseq(head, { ...mail, name: '' }) }));
    return {
      mails: since === undefined ? mails : mails.filter((mail) => mail.uid > since.uid || mail.modseq > since.modseq),
      expunges: journal.expunges(box.guid, since?.modseq ?? 0n),
    };
  }

  async facts(): Promise<ReadonlyMap<Uid, MailFacts>> {
    const facts = [...this.#live().mails].map(([uid, { content }]): [Uid, MailFacts] => [
      uid,
      { received: content.facts.received, virtualSize: content.virtualSize },
    ]);
    return new Map(facts);
  }

  async attributes(): Promise<readonly Attribute[]> {
    return this.#state.journal.attributes(this.#live().guid);
  }

  async read(uid: Uid, guid: MailGuid): Promise<MailContent | null> {
    const mail = this.#live().mails.get(uid);
    return mail === undefined || mail.guid !== guid ? null : mail.content.open();
  }

  async begin(): Promise<MailboxTransaction> {
    return new MemoryTransaction(this.#state, this.#live());
  }

  lock(timeoutMs: number): Promise<AsyncDisposable> {
    return this.#locks.take(this.#box.guid, `mailbox ${this.#state.print(this.#box.path)}`, timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The mailbox; after a deletion or `restore` the one that has its GUID now. @throws {StoreError} `NotFound` */
  #live(): Box {
    const box = this.#state.boxes.get(this.#box.guid);
    if (box === undefined)
      throw new StoreError('NotFound', `mailbox ${this.#state.print(this.#box.path)} doesn't exist any more`);
    return box;
  }
}
