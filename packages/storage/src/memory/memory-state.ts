/** The contents of a store in memory: mailboxes, directories, and the journal that remembers what happened to them. */
import { createHash } from 'node:crypto';

import type { MailboxGuid, MailboxPath, MailGuid, Uid } from '@dsync/protocol';
import { compareBytes } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import { memoryOf, type MailboxMemory } from '../journal/apply-sync.ts';
import type { JournalName } from '../journal/journal.ts';
import { createMemoryJournal, type MemoryJournal } from '../journal/memory-journal.ts';
import { blankName } from '../journal/names.ts';
import { observe } from '../journal/observe.ts';
import { statusOf } from '../journal/status.ts';
import type { MailboxStatus, TreeNode, TreeSnapshot } from '../mail-store.ts';
import { isBelow, isInbox, pathKey } from '../paths.ts';
import type { Content } from './content.ts';

/** One mail; its UID is the key under which it is kept. */
export interface StoredMail {
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly content: Content;
}

/** One mailbox. */
export interface Box {
  guid: MailboxGuid;
  path: MailboxPath;
  uidValidity: number;
  uidNext: number;
  firstRecentUid: number;
  readonly mails: Map<Uid, StoredMail>;
}

/** What the store can do and does not, for tests of how the engine adapts. */
export interface MemoryStoreOptions {
  /** The hierarchy separator; default `/`. */
  readonly separator?: string;
  /** Where the mail was looked for that this store stands for. */
  readonly missingAt?: string;
  /** Whether directories without a mailbox exist of themselves, as with Dovecot's LAYOUT=fs; default false. */
  readonly directories?: boolean;
  /** Whether INBOX can be deleted like any mailbox; default false: it is emptied instead. */
  readonly inboxDeletable?: boolean;
  /** Whether mails keep the GUIDs that a sync gives them; default true. Otherwise they get GUIDs of the store's own. */
  readonly keepsMailGuids?: boolean;
  /** Whether mails keep GUIDs in their 128-bit form alone; default false. */
  readonly onlyGuid128?: boolean;
  /** The time in Unix seconds. */
  readonly now?: () => number;
}

export class MemoryState {
  readonly separator: string;
  readonly keepsDirectories: boolean;
  readonly inboxDeletable: boolean;
  readonly keepsMailGuids: boolean;
  readonly onlyGuid128: boolean;
  readonly now: () => number;
  boxes = new Map<MailboxGuid, Box>();
  /** By `pathKey`. Empty unless directories are kept. */
  directories = new Map<string, MailboxPath>();
  journal: MemoryJournal = createMemoryJournal();

  constructor(options: MemoryStoreOptions) {
    this.separator = options.separator ?? '/';
    this.keepsDirectories = options.directories ?? false;
    this.inboxDeletable = options.inboxDeletable ?? false;
    this.keepsMailGuids = options.keepsMailGuids ?? true;
    this.onlyGuid128 = options.onlyGuid128 ?? false;
    this.now = options.now ?? (() => Math.floor(Date.now() / 1000));
  }

  /** Everything as it is now, for `restore`. */
  copy(): Pick<MemoryState, 'boxes' | 'directories' | 'journal'> {
    return {
      boxes: new Map([...this.boxes].map(([guid, box]) => [guid, { ...box, mails: new Map(box.mails) }])),
      directories: new Map(this.directories),
      journal: this.journal.copy(),
    };
  }

  boxAt(path: MailboxPath): Box | undefined {
    const key = pathKey(path);
    for (const box of this.boxes.values()) if (pathKey(box.path) === key) return box;
    return undefined;
  }

  /** @throws {StoreError} `NotFound` */
  mustBoxAt(path: MailboxPath): Box {
    const box = this.boxAt(path);
    if (box === undefined) throw new StoreError('NotFound', `mailbox ${this.print(path)} doesn't exist`);
    return box;
  }

  /** What is remembered of a mailbox, after a look at what was done to it. */
  memory(box: Box): MailboxMemory {
    this.look(box);
    const memory = memoryOf(this.journal, box.guid);
    if (memory === null) throw new StoreError('NotFound', `mailbox ${this.print(box.path)} doesn't exist any more`);
    return memory;
  }

  /** Notes what was done to a mailbox since the last look. */
  look(box: Box): void {
    const head = this.journal.head(box.guid);
    const mails = [...box.mails]
      .map(([uid, mail]) => ({ uid, guid: mail.guid, flags: mail.flags, keywords: mail.keywords, name: '' }))
      .toSorted((a, b) => a.uid - b.uid);
    const { guid, path, uidValidity, uidNext, firstRecentUid } = box;
    const { step, changed } = observe(head === undefined ? null : { head, mails: this.journal.mails(guid) }, {
      guid,
      path,
      uidValidity,
      uidNext,
      firstRecentUid,
      mails,
      fingerprint: '',
    });
    if (changed) this.journal.apply([step]);
  }

  status(box: Box): MailboxStatus {
    return statusOf(this.memory(box).head);
  }

  readTree(): TreeSnapshot {
    const names = new Map(this.journal.names().map((name) => [pathKey(name.path), name]));
    const nodes = new Map<string, TreeNode>();
    for (const path of this.directories.values())
      nodes.set(pathKey(path), node(path, names.get(pathKey(path)), { exists: true }));
    for (const box of this.boxes.values()) {
      const facts = { exists: true, mailbox: this.status(box) };
      nodes.set(pathKey(box.path), node(box.path, names.get(pathKey(box.path)), facts));
    }
    for (const [key, name] of names)
      if (name.subscribed && !nodes.has(key)) nodes.set(key, node(name.path, name, { exists: false }));

    const gone = [...names.values()].filter((name) => !nodes.has(pathKey(name.path)));
    const implied = (path: MailboxPath): boolean => [...nodes.values()].some((n) => n.exists && isBelow(n.path, path));
    return {
      separator: this.separator,
      nodes: [...nodes.values()].toSorted((a, b) => compareBytes(pathKey(a.path), pathKey(b.path))),
      deletions: {
        mailboxes: [...this.journal.deletedMailboxes()]
          .filter(([guid]) => !this.boxes.has(guid))
          .map(([guid, time]) => ({ guid, time })),
        directories: [...names.values()]
          .filter(({ path, removedAt }) => removedAt > 0 && nodes.get(pathKey(path))?.exists !== true && !implied(path))
          .map(({ path, removedAt }) => ({ hash: this.hash(path), time: removedAt })),
        unsubscribes: gone
          .filter((name) => name.subscriptionChangedAt > 0)
          .map((name) => ({ hash: this.hash(name.path), time: name.subscriptionChangedAt })),
      },
    };
  }

  createBox(
    path: MailboxPath,
    as: { readonly guid: MailboxGuid; readonly uidValidity: number; readonly createdAt: number },
  ): Box {
    this.checkName(path);
    if (this.boxAt(path) !== undefined)
      throw new StoreError('AlreadyExists', `mailbox ${this.print(path)} already exists`);
    if (this.boxes.has(as.guid)) throw new StoreError('AlreadyExists', `a mailbox with GUID ${as.guid} already exists`);
    const box: Box = {
      guid: as.guid,
      path,
      uidValidity: as.uidValidity,
      uidNext: 1,
      firstRecentUid: 1,
      mails: new Map(),
    };
    this.boxes.set(as.guid, box);
    this.#makeParents(path);
    this.remember(path, { createdAt: as.createdAt, renamedAt: 0, removedAt: 0 });
    this.look(box);
    return box;
  }

  /** Takes a mailbox away, and its directory if nothing lies below it. */
  removeBox(box: Box, at: number): void {
    this.boxes.delete(box.guid);
    this.journal.drop(box.guid, at);
    const lives = this.hasBelow(box.path);
    if (this.keepsDirectories && lives) this.directories.set(pathKey(box.path), box.path);
    else this.directories.delete(pathKey(box.path));
    this.remember(box.path, { createdAt: 0, renamedAt: 0, removedAt: lives ? 0 : at });
  }

  createDirectory(path: MailboxPath): void {
    this.checkName(path);
    if (!this.keepsDirectories) return;
    this.#makeParents(path);
    if (this.boxAt(path) === undefined) this.directories.set(pathKey(path), path);
    this.remember(path, { removedAt: 0 });
  }

  /** @throws {StoreError} `NotFound`, `NotEmpty` */
  removeDirectory(path: MailboxPath, at: number): void {
    if (this.boxAt(path) !== undefined || this.hasBelow(path))
      throw new StoreError('NotEmpty', `directory ${this.print(path)} is not empty`);
    if (!this.directories.delete(pathKey(path)))
      throw new StoreError('NotFound', `directory ${this.print(path)} doesn't exist`);
    this.remember(path, { renamedAt: 0, removedAt: at });
  }

  /** @throws {StoreError} `NotFound`, `AlreadyExists`, `InvalidName` */
  rename(from: MailboxPath, to: MailboxPath, at: number): void {
    this.checkName(to);
    if (isInbox(from) || isInbox(to))
      throw new StoreError('InvalidName', 'INBOX cannot be renamed, nor anything to INBOX');
    if (isBelow(to, from) || pathKey(to) === pathKey(from)) {
      throw new StoreError('InvalidName', `cannot rename ${this.print(from)} below itself`);
    }
    const moves = (path: MailboxPath): boolean => pathKey(path) === pathKey(from) || isBelow(path, from);
    const moved = (path: MailboxPath): MailboxPath => [...to, ...path.slice(from.length)];
    const boxes = [...this.boxes.values()].filter((box) => moves(box.path));
    const directories = [...this.directories.values()].filter(moves);
    if (boxes.length === 0 && directories.length === 0)
      throw new StoreError('NotFound', `mailbox ${this.print(from)} doesn't exist`);
    for (const { path } of boxes) this.#mustBeFree(moved(path));
    if (this.directories.has(pathKey(to))) throw new StoreError('AlreadyExists', `${this.print(to)} already exists`);

    for (const path of directories) this.directories.delete(pathKey(path));
    for (const path of directories) this.directories.set(pathKey(moved(path)), moved(path));
    for (const box of boxes) box.path = moved(box.path);
    this.#makeParents(to);
    for (const name of this.journal.names().filter(({ path }) => moves(path))) {
      this.remember(name.path, { createdAt: 0, renamedAt: 0 });
      this.remember(moved(name.path), { createdAt: name.createdAt, renamedAt: name.renamedAt, removedAt: 0 });
    }
    this.remember(to, { renamedAt: at, removedAt: 0 });
    for (const box of boxes) this.look(box);
  }

  remember(path: MailboxPath, facts: Partial<Omit<JournalName, 'path'>>): void {
    this.journal.applyNames([{ ...(this.journal.name(path) ?? blankName(path)), ...facts }]);
  }

  hasBelow(path: MailboxPath): boolean {
    return [...this.boxes.values(), ...[...this.directories.values()].map((p) => ({ path: p }))].some((n) =>
      isBelow(n.path, path),
    );
  }

  /** @throws {StoreError} `InvalidName` */
  checkName(path: MailboxPath): void {
    if (
      path.length > 0 &&
      path.every((part) => part !== '' && !/[\0\r\n]/.test(part) && !part.includes(this.separator))
    )
      return;
    throw new StoreError(
      'InvalidName',
      `invalid mailbox name: ${JSON.stringify(path.join(this.separator).slice(0, 200))}`,
    );
  }

  hash(path: MailboxPath): string {
    return createHash('sha1').update(this.print(path)).digest('hex').slice(0, 32);
  }

  print(path: MailboxPath): string {
    return path.join(this.separator);
  }

  #mustBeFree(path: MailboxPath): void {
    if (this.boxAt(path) !== undefined)
      throw new StoreError('AlreadyExists', `mailbox ${this.print(path)} already exists`);
  }

  #makeParents(path: MailboxPath): void {
    if (!this.keepsDirectories) return;
    for (let length = 1; length < path.length; length++) {
      const parent = path.slice(0, length);
      if (this.boxAt(parent) === undefined) this.directories.set(pathKey(parent), parent);
      this.remember(parent, { removedAt: 0 });
    }
    this.directories.delete(pathKey(path));
  }
}

function node(path: MailboxPath, name: JournalName | undefined, facts: Pick<TreeNode, 'exists' | 'mailbox'>): TreeNode {
  const { renamedAt, createdAt, subscribed, subscriptionChangedAt } = name ?? blankName(path);
  return { path, ...facts, renamedAt, createdAt, subscribed, subscriptionChangedAt };
}
