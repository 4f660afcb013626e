/**
 * Several stores under one roof, each below a prefix (RFC 2342): `Archive/x` is `x` of the store with the prefix
 * `Archive/`. A name belongs to the namespace with the longest prefix that it begins with; `INBOX` alone to the one with
 * `inbox`.
 */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type {
  Mailbox,
  MailStore,
  NamespaceSelection,
  PrivateFlags,
  StoreCapabilities,
  TreeDeletions,
  TreeNode,
  TreeSnapshot,
} from '../mail-store.ts';
import type { Met } from '../met.ts';
import { isInbox } from '../paths.ts';
import { visibleNamespaces, type NamespaceFacts } from './selection.ts';

/** A store and the prefix below which its names stand. */
export interface Namespace extends NamespaceFacts {
  /** Opened with this namespace's separator. */
  readonly store: MailStore;
}

/**
 * One store over `namespaces`, which are closed with it.
 * @throws {StoreError} `NotFound` for an empty list, `Temporary` when separators differ
 */
export function openNamespacedStore(namespaces: readonly Namespace[]): MailStore {
  return new NamespacedStore(namespaces, 'owner');
}

interface Place {
  readonly namespace: Namespace;
  readonly path: MailboxPath;
}

class NamespacedStore implements MailStore {
  readonly #namespaces: readonly Namespace[];
  readonly #byPrefix: readonly { readonly namespace: Namespace; readonly parts: MailboxPath }[];
  readonly #role: 'owner' | 'view';
  readonly capabilities: StoreCapabilities;
  readonly separator: string;
  readonly inboxNamespace?: string;
  readonly missingAt?: string;

  constructor(namespaces: readonly Namespace[], role: 'owner' | 'view') {
    const [first, ...others] = namespaces;
    if (first === undefined) throw new StoreError('NotFound', 'no namespace is left to look at');
    if (others.some((n) => n.separator !== first.separator)) {
      throw new StoreError('Temporary', 'all namespaces of a run must have the same hierarchy separator');
    }
    this.#namespaces = namespaces;
    this.#role = role;
    this.separator = first.separator;
    const ofInbox = namespaces.find((n) => n.inbox);
    if (ofInbox) this.inboxNamespace = ofInbox.prefix;
    const missing = namespaces.find(({ store }) => store.missingAt !== undefined)?.store.missingAt;
    if (missing !== undefined) this.missingAt = missing;
    this.capabilities = commonCapabilities(namespaces);
    this.#byPrefix = namespaces
      .map((namespace) => ({ namespace, parts: prefixParts(namespace) }))
      .toSorted((a, b) => b.parts.length - a.parts.length);
  }

  get namespacePrefixes(): readonly string[] {
    return this.#namespaces.map((namespace) => namespace.prefix);
  }

  selectNamespaces(selection: NamespaceSelection): MailStore {
    return new NamespacedStore(visibleNamespaces(this.#namespaces, selection), 'view');
  }

  async readTree(): Promise<TreeSnapshot> {
    const nodes: TreeNode[] = [];
    const deletions: { -readonly [K in keyof TreeDeletions]: TreeDeletions[K][number][] } = {
      mailboxes: [],
      directories: [],
      unsubscribes: [],
    };
    for (const namespace of this.#namespaces) {
      const tree = await namespace.store.readTree();
      const prefix = prefixParts(namespace);
      for (const node of tree.nodes) {
        const path = visiblePath(namespace, prefix, node);
        if (path !== null) nodes.push({ ...node, path });
      }
      deletions.mailboxes.push(...tree.deletions.mailboxes);
      // These are hashes of names without the prefix, which nobody else's names could match.
      if (prefix.length > 0) continue;
      deletions.directories.push(...tree.deletions.directories);
      deletions.unsubscribes.push(...tree.deletions.unsubscribes);
    }
    return { separator: this.separator, nodes: [...nodes, ...this.#prefixNodes(nodes)], deletions };
  }

  /**
   * A prefix of one part is a name that exists, so the whole store lists it as a directory. A run's view does not: peers
   * make a mailbox of it (Dovecot 2.3).
   */
  #prefixNodes(nodes: readonly TreeNode[]): TreeNode[] {
    if (this.#role === 'view') return [];
    const known = new Set(nodes.filter((n) => n.path.length === 1).map((n) => n.path[0]));
    const roots = this.#byPrefix
      .filter(({ parts }) => parts.length === 1 && !known.has(parts[0]))
      .map(({ parts }) => parts);
    return roots.map((path) => ({
      path,
      exists: true,
      renamedAt: 0,
      createdAt: 0,
      subscribed: false,
      subscriptionChangedAt: 0,
    }));
  }

  async openMailbox(guid: MailboxGuid): Promise<Mailbox | null> {
    for (const namespace of this.#namespaces) {
      const mailbox = await namespace.store.openMailbox(guid);
      if (mailbox === null) continue;
      const prefix = prefixParts(namespace);
      const path = isInboxOf(namespace, mailbox.path) ? mailbox.path : [...prefix, ...mailbox.path];
      return withPath(mailbox, path);
    }
    return null;
  }

  legalPath(path: MailboxPath, altChar: string): MailboxPath {
    const place = this.#find(path);
    // Refused when it is made: the plan shall name the mailbox as the peer does.
    if (place === null || place.path.length === 0) return path;
    const legal = place.namespace.store.legalPath(place.path, altChar);
    return isInboxOf(place.namespace, legal) ? legal : [...prefixParts(place.namespace), ...legal];
  }

  async createMailbox(path: MailboxPath, as: Parameters<MailStore['createMailbox']>[1]): Promise<void> {
    const place = this.#place(path);
    await place.namespace.store.createMailbox(place.path, as);
  }

  async deleteMailbox(path: MailboxPath, guid: MailboxGuid, at: number): Promise<void> {
    const place = this.#place(path);
    await place.namespace.store.deleteMailbox(place.path, guid, at);
  }

  async rename(from: MailboxPath, to: MailboxPath, at: number): Promise<void> {
    const source = this.#place(from);
    const target = this.#place(to);
    if (source.namespace !== target.namespace) {
      throw new StoreError(
        'InvalidName',
        `${from.join('/')} and ${to.join('/')} lie in different namespaces, a rename cannot move mail between them`,
      );
    }
    await source.namespace.store.rename(source.path, target.path, at);
  }

  async createDirectory(path: MailboxPath): Promise<void> {
    if (this.#isPrefix(path)) return;
    const place = this.#place(path);
    await place.namespace.store.createDirectory(place.path);
  }

  async deleteDirectory(path: MailboxPath, at: number): Promise<void> {
    if (this.#isPrefix(path)) return;
    const place = this.#place(path);
    await place.namespace.store.deleteDirectory(place.path, at);
  }

  async setSubscribed(path: MailboxPath, subscribed: boolean, at: number): Promise<void> {
    const place = this.#place(path);
    await place.namespace.store.setSubscribed(place.path, subscribed, at);
  }

  recall(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return new Map(this.#namespaces.flatMap(({ store }) => [...(store.recall?.(peer) ?? [])]));
  }

  /** Each store takes what is its own. */
  async remember(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    for (const { store } of this.#namespaces) await store.remember?.(peer, met);
  }

  recallPrivate(mailbox: MailboxGuid): PrivateFlags | null {
    for (const { store } of this.#namespaces) {
      const flags = store.recallPrivate?.(mailbox) ?? null;
      if (flags !== null) return flags;
    }
    return null;
  }

  /** As with `remember`. */
  async rememberPrivate(mailbox: MailboxGuid, flags: PrivateFlags): Promise<void> {
    for (const { store } of this.#namespaces) await store.rememberPrivate?.(mailbox, flags);
  }

  async lockUser(timeoutMs: number): Promise<AsyncDisposable> {
    const owner = this.#namespaces.find((n) => n.inbox) ?? this.#namespaces[0];
    if (owner === undefined) throw new StoreError('NotFound', 'no namespace is left to look at');
    return await owner.store.lockUser(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#role === 'view') return;
    for (const namespace of this.#namespaces) await namespace.store[Symbol.asyncDispose]();
  }

  #isPrefix(path: MailboxPath): boolean {
    return this.#byPrefix.some(
      ({ parts }) => parts.length >= path.length && path.every((part, i) => parts[i] === part),
    );
  }

  #find(path: MailboxPath): Place | null {
    if (isInbox(path)) {
      const owner = this.#namespaces.find((n) => n.inbox);
      if (owner !== undefined) return { namespace: owner, path };
    }
    for (const { namespace, parts } of this.#byPrefix) {
      if (path.length > parts.length && parts.every((part, i) => path[i] === part))
        return { namespace, path: path.slice(parts.length) };
    }
    return null;
  }

  #place(path: MailboxPath): Place {
    const place = this.#find(path);
    if (place === null)
      throw new StoreError('Temporary', `Couldn't find namespace for mailbox ${path.join(this.separator)}`);
    return place;
  }
}

function prefixParts(namespace: NamespaceFacts): MailboxPath {
  return namespace.prefix.split(namespace.separator).filter((part) => part !== '');
}

function isInboxOf(namespace: NamespaceFacts, path: MailboxPath): boolean {
  return namespace.inbox && isInbox(path);
}

/** The name that a run sees; null for the empty INBOX that a store without `inbox` has merely because every store has one. */
function visiblePath(namespace: NamespaceFacts, prefix: MailboxPath, node: TreeNode): MailboxPath | null {
  if (isInboxOf(namespace, node.path)) return node.path;
  if (isInbox(node.path) && !node.subscribed && (node.mailbox?.messages ?? 0) === 0 && prefix.length > 0) return null;
  return [...prefix, ...node.path];
}

function withPath(mailbox: Mailbox, path: MailboxPath): Mailbox {
  if (mailbox.path.length === path.length) return mailbox;
  return new Proxy(mailbox, {
    get(target, key): unknown {
      if (key === 'path') return path;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What every namespace can do. */
function commonCapabilities(namespaces: readonly Namespace[]): StoreCapabilities {
  const all = (can: keyof StoreCapabilities): boolean => namespaces.every((n) => n.store.capabilities[can]);
  return {
    keepsMailGuids: all('keepsMailGuids'),
    onlyGuid128: namespaces.some((n) => n.store.capabilities.onlyGuid128),
    keepsUids: all('keepsUids'),
    keepsModseqs: all('keepsModseqs'),
    remembersExpunges: all('remembersExpunges'),
    keepsAttributes: all('keepsAttributes'),
  };
}
