/**
 * A mailbox tree that is changed the way a real store is, and that refuses whatever some real store refuses: a rename
 * whose target is not free or lies inside, a mailbox that is there twice, a directory that is not empty. It remembers
 * what a store's journal remembers.
 */
import { compareBytes, isMailboxGuid, mailboxGuid, type MailboxGuid, type MailboxPath } from '@dsync/protocol';
import type { MailboxStatus, TreeNode, TreeSnapshot } from '@dsync/storage';

import { nameHash, type TreeOperation } from '@dsync/sync';

function pathKey(path: MailboxPath): string {
  return path.join('\0');
}

interface Entry {
  readonly path: MailboxPath;
  /** Absent: a directory. */
  readonly guid?: MailboxGuid;
}

/** The mailbox GUID that ends in these digits. */
export function guid(short: string): MailboxGuid {
  return mailboxGuid(short.padStart(32, '0'));
}

/** Of an empty mailbox. */
export function status(of: MailboxGuid, uidValidity = 1): MailboxStatus {
  return { guid: of, uidValidity, uidNext: 1, messages: 0, highestModseq: 1n, firstRecentUid: 1, digest: '' };
}

/** A tree that refuses what a real store could not do. */
export class StrictStore {
  readonly separator: string;
  /** Directories exist by themselves (LAYOUT=fs); else only as part of a mailbox's name (Maildir++). */
  readonly directories: boolean;
  /** The nearest name that it can have; a name that is not its own nearest one is refused. */
  readonly legal: (path: MailboxPath) => MailboxPath;
  entries = new Map<string, Entry>();
  private readonly renamed = new Map<string, number>();
  private readonly created = new Map<MailboxGuid, number>();
  private readonly deleted = new Map<MailboxGuid, number>();
  private readonly removed = new Map<string, { path: MailboxPath; time: number }>();
  private readonly subscriptions = new Map<string, { path: MailboxPath; subscribed: boolean; time: number }>();

  constructor(options: { separator?: string; directories?: boolean; legal?: (path: MailboxPath) => MailboxPath } = {}) {
    this.separator = options.separator ?? '/';
    this.directories = options.directories ?? false;
    this.legal = options.legal ?? ((path) => path);
  }

  clone(): StrictStore {
    const copy = new StrictStore(this);
    copy.entries = new Map(this.entries);
    for (const field of ['renamed', 'created', 'deleted', 'removed', 'subscriptions'] as const) {
      for (const [key, value] of this[field]) (copy[field] as Map<unknown, unknown>).set(key, value);
    }
    return copy;
  }

  has(path: MailboxPath): boolean {
    return this.entries.has(pathKey(path));
  }

  guidAt(path: MailboxPath): MailboxGuid | undefined {
    return this.entries.get(pathKey(path))?.guid;
  }

  private below(path: MailboxPath): Entry[] {
    const prefix = `${pathKey(path)}\0`;
    return [...this.entries.values()].filter((entry) => pathKey(entry.path).startsWith(prefix));
  }

  private check(path: MailboxPath): void {
    if (pathKey(this.legal(path)) !== pathKey(path)) throw new Error(`refused: ${path.join('/')}`);
    if (path.some((part) => part.includes(this.separator))) throw new Error(`a separator in a part: ${path.join(' ')}`);
  }

  private put(entry: Entry): void {
    this.check(entry.path);
    if (this.directories) {
      for (let depth = 1; depth < entry.path.length; depth++) {
        const path = entry.path.slice(0, depth);
        if (!this.has(path)) this.entries.set(pathKey(path), { path });
      }
    }
    this.entries.set(pathKey(entry.path), entry);
  }

  create(path: MailboxPath, as: MailboxGuid, at = 0): void {
    if (this.guidAt(path) !== undefined) throw new Error(`exists: ${path.join('/')}`);
    for (const entry of this.entries.values()) if (entry.guid === as) throw new Error(`second mailbox with GUID ${as}`);
    this.put({ path, guid: as });
    this.created.set(as, at);
  }

  delete(path: MailboxPath, as: MailboxGuid, at: number): void {
    if (this.guidAt(path) !== as) throw new Error(`not there: ${path.join('/')}`);
    if (pathKey(path) === 'INBOX') throw new Error('INBOX deleted');
    this.deleted.set(as, at);
    if (this.directories && this.below(path).length > 0) this.entries.set(pathKey(path), { path });
    else {
      this.entries.delete(pathKey(path));
      this.removed.set(pathKey(path), { path, time: at });
    }
  }

  rename(from: MailboxPath, to: MailboxPath, at: number): void {
    if (pathKey(from) === 'INBOX') throw new Error('INBOX renamed');
    const moved = [...(this.has(from) ? [this.entries.get(pathKey(from))] : []), ...this.below(from)].filter(
      (e) => e !== undefined,
    );
    if (moved.length === 0) throw new Error(`not there: ${from.join('/')}`);
    if (this.has(to) || this.below(to).length > 0) throw new Error(`target not free: ${to.join('/')}`);
    if (pathKey(to).startsWith(`${pathKey(from)}\0`)) throw new Error('renamed into itself');
    for (const entry of moved) this.entries.delete(pathKey(entry.path));
    for (const entry of moved) this.put({ ...entry, path: [...to, ...entry.path.slice(from.length)] });
    this.renamed.set(pathKey(to), at);
  }

  createDirectory(path: MailboxPath): void {
    if (this.directories && !this.has(path)) this.put({ path });
  }

  deleteDirectory(path: MailboxPath, at: number): void {
    const entry = this.entries.get(pathKey(path));
    if (entry?.guid !== undefined || this.below(path).length > 0)
      throw new Error(`not an empty directory: ${path.join('/')}`);
    // A store without directories, or one that removed it with its last child: not an error.
    if (!entry) return;
    this.entries.delete(pathKey(path));
    this.removed.set(pathKey(path), { path, time: at });
  }

  adopt(path: MailboxPath, from: MailboxGuid, to: MailboxGuid): void {
    if (this.guidAt(path) !== from) throw new Error(`GUID is not ${from}: ${path.join('/')}`);
    for (const entry of this.entries.values()) if (entry.guid === to) throw new Error(`second mailbox with GUID ${to}`);
    this.entries.set(pathKey(path), { path, guid: to });
  }

  subscribe(path: MailboxPath, subscribed: boolean, time: number): void {
    this.check(path);
    this.subscriptions.set(pathKey(path), { path, subscribed, time });
  }

  apply(operations: readonly TreeOperation[]): void {
    for (const o of operations) {
      if (o.op === 'delete') this.delete(o.path, o.guid, o.at);
      else if (o.op === 'rename') this.rename(o.from, o.to, o.at);
      else if (o.op === 'create') this.create(o.path, o.guid);
      else if (o.op === 'adopt-guid') this.adopt(o.path, o.from, o.to);
      else if (o.op === 'create-directory') this.createDirectory(o.path);
      else if (o.op === 'delete-directory') this.deleteDirectory(o.path, o.at);
      else this.subscribe(o.path, o.op === 'subscribe', o.at);
    }
  }

  snapshot(): TreeSnapshot {
    const keys = new Set(this.entries.keys());
    for (const [key, { subscribed }] of this.subscriptions) if (subscribed) keys.add(key);
    const nodes = [...keys].map((key): TreeNode => {
      const entry = this.entries.get(key);
      const subscription = this.subscriptions.get(key);
      return {
        path: key.split('\0'),
        exists: entry !== undefined,
        ...(entry?.guid === undefined ? {} : { mailbox: status(entry.guid) }),
        renamedAt: entry ? (this.renamed.get(key) ?? 0) : 0,
        createdAt: entry?.guid === undefined ? 0 : (this.created.get(entry.guid) ?? 0),
        subscribed: subscription?.subscribed ?? false,
        subscriptionChangedAt: subscription?.time ?? 0,
      };
    });
    const present = new Set([...this.entries.values()].map((entry) => entry.guid));
    const record = ({ path, time }: { path: MailboxPath; time: number }) => ({
      hash: nameHash(path, this.separator),
      time,
    });
    return {
      separator: this.separator,
      nodes,
      deletions: {
        mailboxes: [...this.deleted].filter(([g]) => !present.has(g)).map(([g, time]) => ({ guid: g, time })),
        directories: [...this.removed].filter(([key]) => !keys.has(key)).map(([, r]) => record(r)),
        unsubscribes: [...this.subscriptions]
          .filter(([key, s]) => !s.subscribed && !keys.has(key))
          .map(([, s]) => record(s)),
      },
    };
  }

  /** `name=guid`, directories with a trailing slash, subscriptions with a star; parents that only the name implies are left out. */
  picture(options: { directories?: boolean } = {}): string[] {
    const lines = [...this.entries.values()]
      .filter((entry) => entry.guid !== undefined || options.directories !== false)
      .sort((a, b) => compareBytes(pathKey(a.path), pathKey(b.path)))
      .map(({ path, guid: g }) => path.join('/') + (g === undefined ? '/' : `=${shortGuid(g)}`));
    return [...lines, ...this.subscribed().map((name) => `*${name}`)];
  }

  subscribed(): string[] {
    return [...this.subscriptions.values()]
      .filter((s) => s.subscribed)
      .map((s) => s.path.join('/'))
      .sort();
  }

  guids(): Set<MailboxGuid> {
    return new Set([...this.entries.values()].flatMap((entry) => entry.guid ?? []));
  }

  deletedGuids(): Set<MailboxGuid> {
    return new Set(this.deleted.keys());
  }
}

/** A GUID without its leading zeros; any other text as it is. */
export function shortGuid(text: string): string {
  return isMailboxGuid(text) ? text.replace(/^0+/, '') : text;
}
