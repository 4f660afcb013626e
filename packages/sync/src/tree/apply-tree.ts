/** Carries out one side's part of a tree merge on its store. */
import type { MailboxPath } from '@dsync/protocol';
import { StoreError, type MailStore } from '@dsync/storage';

import type { SyncObserver, TreeCounts } from '../report.ts';
import { pathKey, samePath, tempName } from './names.ts';
import type { TreeOperation } from './tree-plan.ts';

/** What was done, and what could not be. */
export interface AppliedTree {
  readonly counts: TreeCounts;
  /** What somebody else had changed meanwhile, one line each: reasons to run again. */
  readonly unexpected: readonly string[];
}

/** How operations are carried out. */
export interface ApplyTreeOptions {
  /** Stands for characters that the store refuses in names. */
  readonly altChar?: string;
  /** Told of each operation that has been carried out. */
  readonly observer?: Pick<SyncObserver, 'treeOperation'>;
}

type Counts = { -readonly [K in keyof TreeCounts]: TreeCounts[K] };

/**
 * Carries out the operations in their order. A name that the store refuses is replaced by the nearest one that it takes.
 * What fails because somebody changed the tree meanwhile is left undone and reported; so is nothing else.
 * @throws {StoreError} whatever the store throws but `NotFound`, `AlreadyExists`, `NotEmpty`
 */
export async function applyTree(
  store: MailStore,
  operations: readonly TreeOperation[],
  options: ApplyTreeOptions = {},
): Promise<AppliedTree> {
  const counts: Counts = { mailboxesCreated: 0, mailboxesRenamed: 0, mailboxesDeleted: 0, subscriptions: 0 };
  const unexpected: string[] = [];
  const names = new Names(store, options.altChar ?? '_');
  for (const operation of operations) {
    try {
      const counted = await apply(store, operation, names);
      if (counted) counts[counted]++;
      options.observer?.treeOperation?.('local', operation);
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (isHarmless(operation, error)) continue;
      unexpected.push(describe(store, operation, error));
    }
  }
  return { counts, unexpected };
}

/** Names as the plan has them, and as this store has them where it refused the planned one. */
class Names {
  private readonly store: MailStore;
  private readonly altChar: string;
  private readonly replaced = new Map<string, MailboxPath>();

  constructor(store: MailStore, altChar: string) {
    this.store = store;
    this.altChar = altChar;
  }

  /** A name that is there. What the store had before is not touched by what it would allow now. */
  present(path: MailboxPath): MailboxPath {
    if (this.replaced.size === 0) return path;
    for (let depth = path.length; depth > 0; depth--) {
      const other = this.replaced.get(pathKey(path.slice(0, depth)));
      if (other) return [...other, ...path.slice(depth)];
    }
    return path;
  }

  /** The nearest name that the store takes. */
  legal(path: MailboxPath): MailboxPath {
    return this.store.legalPath(this.present(path), this.altChar);
  }

  became(path: MailboxPath, actual: MailboxPath): void {
    if (!samePath(path, actual)) this.replaced.set(pathKey(path), actual);
  }
}

/** What the operation is counted as, if it changed anything that is counted. */
async function apply(store: MailStore, operation: TreeOperation, names: Names): Promise<keyof TreeCounts | null> {
  switch (operation.op) {
    case 'delete':
      await store.deleteMailbox(operation.path, operation.guid, operation.at);
      return 'mailboxesDeleted';
    case 'rename':
      return await rename(store, operation, names);
    case 'create':
      await create(store, operation, names);
      return 'mailboxesCreated';
    case 'adopt-guid':
      await adoptGuid(store, operation);
      return null;
    case 'create-directory':
      await store.createDirectory(names.legal(operation.path));
      return null;
    case 'delete-directory':
      await store.deleteDirectory(names.present(operation.path), operation.at);
      return null;
    case 'subscribe':
    case 'unsubscribe':
      await store.setSubscribed(names.legal(operation.path), operation.op === 'subscribe', operation.at);
      return 'subscriptions';
    default:
      return operation satisfies never;
  }
}

/** A mailbox that already has the nearest name to the wanted one stays. */
async function rename(
  store: MailStore,
  operation: TreeOperation & { readonly op: 'rename' },
  names: Names,
): Promise<keyof TreeCounts | null> {
  const from = names.present(operation.from);
  const to = names.legal(operation.to);
  const stays = samePath(from, to);
  if (!stays) await store.rename(from, to, operation.at);
  names.became(operation.to, to);
  return stays ? null : 'mailboxesRenamed';
}

async function create(
  store: MailStore,
  operation: TreeOperation & { readonly op: 'create' },
  names: Names,
): Promise<void> {
  const { path, guid, uidValidity } = operation;
  const legal = names.legal(path);
  const as = { guid, uidValidity, createdAt: 0 };
  try {
    await store.createMailbox(legal, as);
    names.became(path, legal);
  } catch (error) {
    // The name that was asked for is free, but the one that stands for it is not.
    if (samePath(legal, path) || !(error instanceof StoreError) || error.code !== 'AlreadyExists') throw error;
    const other = [...legal.slice(0, -1), tempName(legal.at(-1) ?? '', guid)];
    await store.createMailbox(other, as);
    names.became(path, other);
  }
}

async function adoptGuid(store: MailStore, operation: TreeOperation & { readonly op: 'adopt-guid' }): Promise<void> {
  const mailbox = await store.openMailbox(operation.from);
  if (!mailbox)
    throw new StoreError('NotFound', `mailbox ${name(store, operation.path)} with GUID ${operation.from} is gone`);
  await using opened = mailbox;
  await using transaction = await opened.begin();
  transaction.update({ guid: operation.to });
  await transaction.commit();
}

function isConflict(error: unknown): error is StoreError {
  return (
    error instanceof StoreError &&
    (error.code === 'NotFound' || error.code === 'AlreadyExists' || error.code === 'NotEmpty')
  );
}

/** A directory that is there or gone already is what was wanted: stores make and remove them along with mailboxes. */
function isHarmless(operation: TreeOperation, error: StoreError): boolean {
  if (operation.op === 'create-directory') return error.code === 'AlreadyExists';
  return operation.op === 'delete-directory' && error.code === 'NotFound';
}

const VERBS = {
  delete: 'deletion',
  rename: 'rename',
  create: 'creation',
  'adopt-guid': 'GUID change',
  'create-directory': 'directory creation',
  'delete-directory': 'directory removal',
  subscribe: 'subscription',
  unsubscribe: 'unsubscription',
} as const satisfies Record<TreeOperation['op'], string>;

function describe(store: MailStore, operation: TreeOperation, error: StoreError): string {
  const path = operation.op === 'rename' ? operation.from : operation.path;
  const guid = operation.op === 'delete' ? ` GUID ${operation.guid}` : '';
  return `Mailbox ${name(store, path)}${guid} ${VERBS[operation.op]} conflict: ${error.message}`;
}

function name(store: MailStore, path: MailboxPath): string {
  return path.join(store.separator);
}
