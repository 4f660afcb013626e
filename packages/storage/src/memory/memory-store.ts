/** A store in memory: the plainest that does everything, and the measure of the others. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { replaceControls } from '../control-characters.ts';
import { StoreError } from '../errors.ts';
import { applySync } from '../journal/apply-sync.ts';
import type { Mailbox, MailStore, PrivateFlags, StoreCapabilities, TreeSnapshot } from '../mail-store.ts';
import type { Met } from '../met.ts';
import { isInbox } from '../paths.ts';
import { Locks } from './locks.ts';
import { MemoryMailbox } from './memory-mailbox.ts';
import { MemoryState, type Box, type MemoryStoreOptions } from './memory-state.ts';
import { MemoryUser } from './memory-user.ts';

/** A store and its user. */
export interface MemoryStore extends MailStore {
  /** The same contents in the hands of a user. */
  readonly user: MemoryUser;
}

/** An empty one, without an INBOX. */
export function createMemoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new InMemoryStore(new MemoryState(options), options.missingAt);
}

class InMemoryStore implements MemoryStore {
  readonly capabilities: StoreCapabilities;
  readonly user: MemoryUser;
  readonly missingAt?: string;
  readonly #state: MemoryState;
  readonly #locks = new Locks();

  constructor(state: MemoryState, missingAt: string | undefined) {
    if (missingAt !== undefined) this.missingAt = missingAt;
    this.#state = state;
    this.capabilities = {
      keepsMailGuids: state.keepsMailGuids,
      onlyGuid128: state.onlyGuid128,
      keepsUids: true,
      keepsModseqs: true,
      remembersExpunges: true,
      keepsAttributes: true,
    };
    this.user = new MemoryUser(state);
  }

  get separator(): string {
    return this.#state.separator;
  }

  async readTree(): Promise<TreeSnapshot> {
    return this.#state.readTree();
  }

  async openMailbox(guid: MailboxGuid): Promise<Mailbox | null> {
    const box = this.#state.boxes.get(guid);
    return box === undefined ? null : new MemoryMailbox(this.#state, this.#locks, box);
  }

  legalPath(path: MailboxPath, altChar: string): MailboxPath {
    const { separator } = this.#state;
    const parts = path.map((part) => replaceControls(part, altChar).replaceAll(separator, altChar));
    const legal = parts.map((part) => (part === '' ? altChar : part));
    return legal.length === 1 && legal[0]?.toUpperCase() === 'INBOX' ? ['INBOX'] : legal;
  }

  async createMailbox(
    path: MailboxPath,
    as: { readonly guid: MailboxGuid; readonly uidValidity: number; readonly createdAt: number },
  ): Promise<void> {
    this.#state.createBox(path, as);
  }

  async deleteMailbox(path: MailboxPath, guid: MailboxGuid, at: number): Promise<void> {
    const box = this.#state.mustBoxAt(path);
    if (box.guid !== guid)
      throw new StoreError('NotFound', `mailbox ${this.#state.print(path)} isn't the one with GUID ${guid} any more`);
    if (isInbox(path) && !this.#state.inboxDeletable) this.#empty(box);
    else this.#state.removeBox(box, at);
  }

  async rename(from: MailboxPath, to: MailboxPath, at: number): Promise<void> {
    this.#state.rename(from, to, at);
  }

  async createDirectory(path: MailboxPath): Promise<void> {
    this.#state.createDirectory(path);
  }

  async deleteDirectory(path: MailboxPath, at: number): Promise<void> {
    this.#state.removeDirectory(path, at);
  }

  async setSubscribed(path: MailboxPath, subscribed: boolean, at: number): Promise<void> {
    this.#state.checkName(path);
    this.#state.remember(path, { subscribed, subscriptionChangedAt: at });
  }

  recall(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return this.#state.journal.metAt(peer);
  }

  async remember(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    await this.#state.journal.writeMet(peer, met);
  }

  recallPrivate(mailbox: MailboxGuid): PrivateFlags | null {
    return this.#state.journal.privateFlags(mailbox);
  }

  async rememberPrivate(mailbox: MailboxGuid, flags: PrivateFlags): Promise<void> {
    await this.#state.journal.writePrivateFlags(mailbox, flags);
  }

  lockUser(timeoutMs: number): Promise<AsyncDisposable> {
    return this.#locks.take('user', 'user', timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #empty(box: Box): void {
    const step = applySync(this.#state.memory(box), { expunged: box.mails.keys(), fingerprint: '' });
    box.mails.clear();
    this.#state.journal.apply([step]);
  }
}
