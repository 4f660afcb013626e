import { join } from 'node:path';

import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { JournalName } from '../journal/journal.ts';
import { blankName } from '../journal/names.ts';
import type { Mailbox, MailStore, PrivateFlags, StoreCapabilities, TreeSnapshot } from '../mail-store.ts';
import type { Met } from '../met.ts';
import { Mutex } from '../mutex.ts';
import { isBelow, isInbox, pathKey, samePath } from '../paths.ts';
import { Box } from './box.ts';
import { noteChange } from './change-log.ts';
import { flush, headAt, headOf, type Context } from './context.ts';
import { makeDirectories, ownershipOf } from './files.ts';
import { makeFolder, moveFolders, removeDirectory, removeFolder } from './folders.ts';
import { MaildirMailbox } from './mailbox.ts';
import { hasCur, scan } from './scan.ts';
import { writeSubscription } from './subscriptions-file.ts';
import { takeUserLock } from './sync-lock.ts';
import { MaildirTransaction } from './transaction.ts';
import { readTree } from './tree.ts';

export class MaildirStore implements MailStore {
  readonly capabilities: StoreCapabilities = {
    keepsMailGuids: true,
    onlyGuid128: false,
    keepsUids: true,
    keepsModseqs: true,
    remembersExpunges: true,
    keepsAttributes: true,
  };
  readonly #context: Context;
  /** Changes of the tree, one after the other. */
  readonly #mutex = new Mutex();

  constructor(context: Context) {
    this.#context = context;
  }

  get separator(): string {
    return this.#context.layout.separator;
  }

  readTree(): Promise<TreeSnapshot> {
    return this.#mutex.run(() => readTree(this.#context));
  }

  async openMailbox(guid: MailboxGuid): Promise<Mailbox | null> {
    const box = this.#context.boxes.get(guid) ?? this.#fromJournal(guid) ?? (await this.#fromDisk(guid));
    if (box === null) return null;
    try {
      await box.mutex.run(() => box.look());
    } catch (cause) {
      if (cause instanceof StoreError && cause.code === 'NotFound') return null;
      throw cause;
    }
    return box.head?.guid === guid ? new MaildirMailbox(box) : null;
  }

  legalPath(path: MailboxPath, altChar: string): MailboxPath {
    return this.#context.layout.legal(path, altChar);
  }

  createMailbox(
    path: MailboxPath,
    as: { readonly guid: MailboxGuid; readonly uidValidity: number; readonly createdAt: number },
  ): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      context.layout.check(path);
      if (context.boxes.has(as.guid))
        throw new StoreError('AlreadyExists', `a mailbox with GUID ${as.guid} already exists`);
      makeFolder(context, path, as);
      context.boxes.set(as.guid, new Box(context, path, true));
      await this.#remember([
        { path, createdAt: as.createdAt, renamedAt: 0, removedAt: 0 },
        ...parentsOf(path).map((parent) => ({ path: parent, removedAt: 0 })),
      ]);
    });
  }

  deleteMailbox(path: MailboxPath, guid: MailboxGuid, at: number): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      const box = await this.#boxAt(path);
      if (box.guid !== guid) throw new StoreError('NotFound', `${box.print} isn't the one with GUID ${guid} any more`);
      if (isInbox(path)) {
        await empty(box);
        return;
      }
      await box.mutex.run(async () => removeFolder(context, path));
      await flush(context, []);
      context.boxes.delete(guid);
      await context.journal.dropMailbox(guid, at);
      noteChange(context.layout.roots.index, 'mailbox-deleted', guid, at);
      const lives = this.#existsBelow(path);
      await this.#remember([{ path, createdAt: 0, renamedAt: 0, removedAt: lives ? 0 : at }]);
    });
  }

  rename(from: MailboxPath, to: MailboxPath, at: number): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      const { layout } = context;
      layout.check(to);
      if (isInbox(from) || isInbox(to))
        throw new StoreError('InvalidName', 'INBOX cannot be renamed, nor anything to INBOX');
      if (isBelow(to, from) || samePath(to, from))
        throw new StoreError('InvalidName', `cannot rename ${layout.print(from)} below itself`);
      const found = scan(layout, () => {});
      const all = [...found.mailboxes, ...found.directories];
      const moves = (path: MailboxPath): boolean => samePath(path, from) || isBelow(path, from);
      const moved = (path: MailboxPath): MailboxPath => [...to, ...path.slice(from.length)];
      const targets = all.filter(moves).map(moved);
      if (targets.length === 0) throw new StoreError('NotFound', `mailbox ${layout.print(from)} doesn't exist`);
      const present = new Set(all.map(pathKey));
      const taken = [...targets, ...(layout.keepsDirectories ? [to] : [])].find((path) => present.has(pathKey(path)));
      if (taken !== undefined) throw new StoreError('AlreadyExists', `mailbox ${layout.print(taken)} already exists`);
      for (const path of targets) layout.check(path);
      // Under their old names; the new ones would not be known.
      await flush(context, []);
      moveFolders(context, from, to, all);
      await flush(context, []);
      await this.#followRename(moves, moved);
      noteChange(layout.roots.index, 'renamed', layout.hash(to), at);
      await this.#remember([
        { path: to, renamedAt: at, removedAt: 0 },
        ...parentsOf(to).map((path) => ({ path, removedAt: 0 })),
      ]);
    });
  }

  createDirectory(path: MailboxPath): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      context.layout.check(path);
      if (!context.layout.keepsDirectories) return;
      makeDirectories(context.layout.places(path).mail, ownershipOf(context.layout.roots.mail));
      context.unflushed.add(join(context.layout.places(path).mail, '..'));
      await this.#remember([path, ...parentsOf(path)].map((each) => ({ path: each, removedAt: 0 })));
    });
  }

  deleteDirectory(path: MailboxPath, at: number): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      const { layout } = context;
      layout.check(path);
      if (this.#existsBelow(path) || hasCur(layout.places(path).mail))
        throw new StoreError('NotEmpty', `directory ${layout.print(path)} is not empty`);
      if (!layout.keepsDirectories) throw new StoreError('NotFound', `directory ${layout.print(path)} doesn't exist`);
      removeDirectory(context, path);
      noteChange(layout.roots.index, 'directory-deleted', layout.hash(path), at);
      await this.#remember([{ path, renamedAt: 0, removedAt: at }]);
    });
  }

  setSubscribed(path: MailboxPath, subscribed: boolean, at: number): Promise<void> {
    return this.#mutex.run(async () => {
      const context = this.#context;
      context.layout.check(path);
      await writeSubscription(context, path, subscribed);
      noteChange(context.layout.roots.index, subscribed ? 'subscribed' : 'unsubscribed', context.layout.hash(path), at);
      await this.#remember([{ path, subscribed, subscriptionChangedAt: at }]);
    });
  }

  recall(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return this.#context.journal.metAt(peer);
  }

  async remember(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    await this.#context.journal.writeMet(peer, met);
  }

  recallPrivate(mailbox: MailboxGuid): PrivateFlags | null {
    return this.#context.journal.privateFlags(mailbox);
  }

  async rememberPrivate(mailbox: MailboxGuid, flags: PrivateFlags): Promise<void> {
    await this.#context.journal.writePrivateFlags(mailbox, flags);
  }

  lockUser(timeoutMs: number): Promise<AsyncDisposable> {
    return takeUserLock(this.#context.home, timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mutex.run(async () => {
      for (const box of this.#context.boxes.values()) await box.mutex.run(() => box.settle());
      await flush(this.#context, []);
      await this.#context.journal[Symbol.asyncDispose]();
      this.#context.shadow?.[Symbol.dispose]();
    });
  }

  /** Of which the journal knows nothing yet. */
  async #fromDisk(guid: MailboxGuid): Promise<Box | null> {
    await this.readTree();
    return this.#context.boxes.get(guid) ?? null;
  }

  #fromJournal(guid: MailboxGuid): Box | null {
    const context = this.#context;
    const head = headOf(context, guid);
    if (head === null) return null;
    const box = new Box(context, head.path);
    box.head = head;
    return box;
  }

  async #boxAt(path: MailboxPath): Promise<Box> {
    const context = this.#context;
    const box = [...context.boxes.values()].find((each) => samePath(each.path, path)) ?? new Box(context, path);
    if (!hasCur(box.folder.places.mail)) throw new StoreError('NotFound', `${box.print} doesn't exist`);
    box.head ??= headAt(context, path);
    await box.mutex.run(() => box.look());
    return box;
  }

  #existsBelow(path: MailboxPath): boolean {
    const { mailboxes, directories } = scan(this.#context.layout, () => {});
    return [...mailboxes, ...directories].some((other) => isBelow(other, path));
  }

  /** Boxes and journal take the new names; what was known of names goes along, subscriptions stay with theirs. */
  async #followRename(moves: (path: MailboxPath) => boolean, moved: (path: MailboxPath) => MailboxPath): Promise<void> {
    const context = this.#context;
    const { journal } = context;
    for (const [guid, box] of context.boxes) if (moves(box.path)) context.boxes.delete(guid);
    for (const head of journal.heads().values()) {
      if (!moves(head.path)) continue;
      const box = new Box(context, moved(head.path));
      box.head = head;
      try {
        await box.mutex.run(() => box.look());
      } catch (cause) {
        // Known to the journal but gone before the rename: the next reading of the tree notes that.
        if (!(cause instanceof StoreError && cause.code === 'NotFound')) throw cause;
      }
    }
    const names = journal.names().filter(({ path }) => moves(path));
    await this.#remember(
      names.flatMap((name) => [
        { path: name.path, createdAt: 0, renamedAt: 0 },
        { path: moved(name.path), createdAt: name.createdAt, renamedAt: name.renamedAt, removedAt: 0 },
      ]),
    );
  }

  async #remember(facts: readonly (Partial<JournalName> & { readonly path: MailboxPath })[]): Promise<void> {
    const { journal } = this.#context;
    const known = new Map(journal.names().map((name) => [pathKey(name.path), name]));
    const changed = new Map<string, JournalName>();
    for (const fact of facts) {
      const key = pathKey(fact.path);
      const before = changed.get(key) ?? known.get(key) ?? blankName(fact.path);
      const next = { ...before, ...fact };
      if (
        before.createdAt === next.createdAt &&
        before.renamedAt === next.renamedAt &&
        before.removedAt === next.removedAt &&
        before.subscribed === next.subscribed &&
        before.subscriptionChangedAt === next.subscriptionChangedAt
      )
        continue;
      changed.set(key, next);
    }
    if (changed.size > 0) await journal.writeNames([...changed.values()]);
  }
}

function parentsOf(path: MailboxPath): MailboxPath[] {
  return path.slice(1).map((_, i) => path.slice(0, i + 1));
}

async function empty(box: Box): Promise<void> {
  await using transaction = new MaildirTransaction(box);
  for (const { uid, guid } of box.context.journal.mails(box.guid)) transaction.expunge(uid, guid);
  await transaction.commit();
}
