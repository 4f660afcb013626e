/**
 * Users of a real Maildir: mails are delivered, flagged and expunged on the files as other programs do it; what only an
 * administrator of the store can do goes through the driver. After each act the store takes a look, so that the journal
 * learns of acts one by one, as a mail server that is always there would.
 */
import fs from 'node:fs';
import { join } from 'node:path';

import type { MailboxGuid, MailboxPath, MailGuid, Uid } from '@dsync/protocol';
import {
  openMaildirStore,
  StoreError,
  type Delivery,
  type InitialMailbox,
  type Mailbox,
  type MailboxTransaction,
  type MaildirStoreOptions,
  type MailStore,
} from '@dsync/storage';

import { normalKeywords, withoutKeywords } from '../src/journal/keywords.ts';
import { openLmdbJournal } from '../src/journal/lmdb-journal.ts';
import { JOURNAL_FILE, Layout } from '../src/maildir/layout.ts';
import { parseSubscriptions, printSubscriptions } from '../src/maildir/subscriptions.ts';
import type { MailUser } from './mail-user.ts';
import { MaildirFolder } from './maildir-folder.ts';

/** Of the store whose user it is. */
export interface MaildirUserOptions extends Pick<MaildirStoreOptions, 'root' | 'layout' | 'separator'> {
  /** The time in Unix seconds. */
  readonly now: () => number;
  /** Options of the store with which it is looked at; default `fsync` on. */
  readonly fsync?: 'on' | 'off';
  /**
   * Everything is as after a Dovecot's look, which this user's counterpart has: mails that are placed have the modseqs that a
   * Dovecot gives, and none is recent.
   */
  readonly likeDovecot?: true;
}

/** Changes files as other programs do, and what those cannot say through a store of its own. */
export function createMaildirUser(options: MaildirUserOptions): MailUser {
  return new MaildirUser(options);
}

class MaildirUser implements MailUser {
  readonly #options: MaildirUserOptions;
  readonly #layout: Layout;

  constructor(options: MaildirUserOptions) {
    const { root, layout = 'maildir++', separator = '/' } = options;
    this.#options = options;
    this.#layout = new Layout(layout, separator, { mail: root, control: root, index: root, inbox: root });
  }

  async place(path: MailboxPath, { guid, uidValidity, uidNext, mails }: InitialMailbox): Promise<void> {
    const folder = this.#folder(path);
    folder.make({ guid, uidValidity, uidNext: uidNext ?? 1 });
    if (this.#options.likeDovecot && mails.length > 0) {
      const keywords = mails.some((mail) => (mail.keywords ?? []).length > 0);
      // What comes next gets the number after the highest: 2, or 3 if there are keywords.
      await this.#change(path, (transaction) => transaction.update({ highestModseq: keywords ? 2n : 1n }));
    }
    for (const mail of mails) await folder.add(mail, mail.uid);
    if (this.#options.likeDovecot) folder.takeNew();
  }

  async placeSubscription(path: MailboxPath): Promise<void> {
    fs.mkdirSync(this.#options.root, { recursive: true, mode: 0o700 });
    const file = join(this.#options.root, 'subscriptions');
    const before = parseSubscriptions(fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : 'V\t2\n\n', '.');
    fs.writeFileSync(file, printSubscriptions({ ...before, paths: [...before.paths, path] }, '.'));
  }

  append(path: MailboxPath, mail: Delivery): Promise<Uid> {
    return this.#act(async () => {
      const folder = this.#folder(path);
      const uid = await folder.add({ received: this.#options.now(), ...mail });
      if (this.#options.likeDovecot) folder.takeNew();
      return uid;
    });
  }

  expunge(path: MailboxPath, uid: number): Promise<void> {
    return this.#act(async () => this.#folder(path).remove(uid));
  }

  changeFlags(
    path: MailboxPath,
    uid: number,
    how: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
  ): Promise<void> {
    return this.#act(async () =>
      this.#folder(path).setFlags(uid, (oldFlags, old) => {
        if (how === 'add') return [oldFlags | flags, normalKeywords([...old, ...keywords])];
        return how === 'remove' ? [oldFlags & ~flags, withoutKeywords(old, keywords)] : [flags, keywords];
      }),
    );
  }

  async move(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    const moved = await this.copy(path, uid, to);
    await this.expunge(path, uid);
    return moved;
  }

  copy(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    return this.#act(() => this.#folder(to).addCopy(this.#folder(path), uid));
  }

  createMailbox(path: MailboxPath, as: { readonly guid: MailboxGuid; readonly uidValidity: number }): Promise<void> {
    return this.#administer((store) => store.createMailbox(path, { ...as, createdAt: this.#options.now() }));
  }

  createDirectory(path: MailboxPath): Promise<void> {
    return this.#administer((store) => store.createDirectory(path));
  }

  delete(path: MailboxPath): Promise<void> {
    return this.#administer(async (store) => {
      if (path.length === 1 && path[0] === 'INBOX') throw new StoreError('InvalidName', "INBOX can't be deleted");
      const guid = await guidAt(store, path);
      const now = this.#options.now();
      if (guid === null) await store.deleteDirectory(path, now);
      else await store.deleteMailbox(path, guid, now);
    });
  }

  rename(from: MailboxPath, to: MailboxPath): Promise<void> {
    return this.#administer((store) => store.rename(from, to, this.#options.now()));
  }

  subscribe(path: MailboxPath): Promise<void> {
    return this.#administer((store) => store.setSubscribed(path, true, this.#options.now()));
  }

  unsubscribe(path: MailboxPath): Promise<void> {
    return this.#administer((store) => store.setSubscribed(path, false, this.#options.now()));
  }

  async update(path: MailboxPath, numbers: Parameters<MailUser['update']>[1]): Promise<void> {
    const { uidValidity, ...others } = numbers;
    await this.#change(path, (transaction) => transaction.update(others));
    if (uidValidity === undefined) return;
    await this.#act(() =>
      this.#folder(path).rewrite((list) => ({
        list: { ...list, uidValidity },
        afterwards: () => {},
        result: undefined,
      })),
    );
  }

  async setAttribute(path: MailboxPath, key: string, value: string | null): Promise<void> {
    const [, scope, rest] = /^\/(private|shared)\/(.+)$/s.exec(key) ?? [];
    if (rest === undefined)
      throw new StoreError('InvalidName', `not a metadata entry: ${JSON.stringify(key.slice(0, 200))}`);
    const server = path.length === 0;
    await this.#change(server ? ['INBOX'] : path, (transaction) =>
      transaction.setAttribute({
        scope: scope === 'shared' ? 'shared' : 'private',
        key: server ? `vendor/vendor.dovecot/pvt/server/${rest}` : rest,
        value,
        changedAt: this.#options.now(),
        modseq: 0n,
      }),
    );
  }

  select(path: MailboxPath): Promise<void> {
    return this.#act(async () => this.#folder(path).takeNew());
  }

  /** The mailbox's attributes live in its journal and are forgotten as well. */
  async loseHistory(path: MailboxPath): Promise<void> {
    const guid = await this.#administer((store) => guidAt(store, path));
    if (guid === null) throw new StoreError('NotFound', `mailbox ${path.join('/')} doesn't exist`);
    const journal = await openLmdbJournal(join(this.#options.root, JOURNAL_FILE), { fsync: 'off' });
    await journal.dropMailbox(guid, null);
    await journal[Symbol.asyncDispose]();
    await this.#act(async () => {});
  }

  replaceMail(path: MailboxPath, uid: number, guid: MailGuid, body: Uint8Array): Promise<void> {
    return this.#act(() => this.#folder(path).replace(uid, guid, body));
  }

  async snapshot(): Promise<void> {
    fs.rmSync(this.#saved, { recursive: true, force: true });
    fs.cpSync(this.#options.root, this.#saved, { recursive: true, preserveTimestamps: true });
  }

  async restore(): Promise<void> {
    if (!fs.existsSync(this.#saved)) throw new StoreError('NotFound', 'there is no snapshot to restore');
    fs.rmSync(this.#options.root, { recursive: true, force: true });
    fs.cpSync(this.#saved, this.#options.root, { recursive: true, preserveTimestamps: true });
  }

  get #saved(): string {
    return `${this.#options.root}.snapshot`;
  }

  #folder(path: MailboxPath): MaildirFolder {
    return new MaildirFolder(this.#layout.places(path).mail);
  }

  /** Before the act, too: what was there first is no change. */
  async #act<T>(action: () => Promise<T>): Promise<T> {
    await this.#administer(async () => {});
    const result = await action();
    await this.#administer(async () => {});
    return result;
  }

  async #change(path: MailboxPath, change: (transaction: MailboxTransaction) => void): Promise<void> {
    await this.#administer(async (store) => {
      await using mailbox = await mailboxAt(store, path);
      await using transaction = await mailbox.begin();
      change(transaction);
      await transaction.commit();
    });
  }

  async #administer<T>(action: (store: MailStore) => Promise<T>): Promise<T> {
    const { root, layout = 'maildir++', separator = '/', now, fsync = 'on' } = this.#options;
    await using store = await openMaildirStore({ root, layout, separator, now, fsync, journal: 'auto', create: true });
    await store.readTree();
    const result = await action(store);
    await store.readTree();
    return result;
  }
}

async function guidAt(store: MailStore, path: MailboxPath): Promise<MailboxGuid | null> {
  const { nodes } = await store.readTree();
  return nodes.find((node) => node.path.join('\0') === path.join('\0'))?.mailbox?.guid ?? null;
}

async function mailboxAt(store: MailStore, path: MailboxPath): Promise<Mailbox> {
  const guid = await guidAt(store, path);
  const mailbox = guid === null ? null : await store.openMailbox(guid);
  if (mailbox === null) throw new StoreError('NotFound', `mailbox ${path.join('/')} doesn't exist`);
  return mailbox;
}
