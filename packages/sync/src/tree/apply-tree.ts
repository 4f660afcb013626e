/** Carries out one side's part of a tree merge on its store. */
import type { MailboxPath } from '@dsync/protocol';
import { StoreError, type MailStore } from '@dsync/storage';

import type { SyncObserver, TreeCounts } from '../report.ts';
import { samePath, tempName } from './names.ts';
import type { TreeOperation } from './tree-plan.ts';

export interface AppliedTree {
  readonly counts: TreeCounts;
  /** What somebody else had changed meanwhile, one line each: reasons to run again. */
  readonly unexpected: readonly string[];
}

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
export async function applyTree(store: MailStore, operations: readonly TreeOperation[], options: ApplyTreeOptions = {}): Promise<AppliedTree> {
  const counts: Counts = { mailboxesCreated: 0, mailboxesRenamed: 0, mailboxesDeleted: 0, subscriptions: 0 };
  const unexpected: string[] = [];
  const altChar = options.altChar ?? '_';
  for (const operation of operations) {
    try {
      const counted = await apply(store, operation, altChar);
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

/** What the operation is counted as, if it changed anything that is counted. */
async function apply(store: MailStore, operation: TreeOperation, altChar: string): Promise<keyof TreeCounts | null> {
  const legal = (path: MailboxPath): MailboxPath => store.legalPath(path, altChar);
  switch (operation.op) {
    case 'delete':
      await store.deleteMailbox(operation.path, operation.guid, operation.at);
      return 'mailboxesDeleted';
    case 'rename': {
      const to = legal(operation.to);
      const from = legal(operation.from);
      if (samePath(from, to)) return null;
      await store.rename(from, to, operation.at);
      return 'mailboxesRenamed';
    }
    case 'create':
      await create(store, operation, altChar);
      return 'mailboxesCreated';
    case 'adopt-guid':
      await adoptGuid(store, operation);
      return null;
    case 'create-directory':
      await store.createDirectory(legal(operation.path));
      return null;
    case 'delete-directory':
      await store.deleteDirectory(legal(operation.path), operation.at);
      return null;
    case 'subscribe':
    case 'unsubscribe':
      await store.setSubscribed(legal(operation.path), operation.op === 'subscribe', operation.at);
      return 'subscriptions';
    default:
      return operation satisfies never;
  }
}

async function create(store: MailStore, operation: TreeOperation & { readonly op: 'create' }, altChar: string): Promise<void> {
  const { path, guid, uidValidity } = operation;
  const legal = store.legalPath(path, altChar);
  const as = { guid, uidValidity, createdAt: 0 };
  try {
    await store.createMailbox(legal, as);
  } catch (error) {
    // The name that was asked for is free, but the one that stands for it is not.
    if (samePath(legal, path) || !(error instanceof StoreError) || error.code !== 'AlreadyExists') throw error;
    await store.createMailbox([...legal.slice(0, -1), tempName(legal.at(-1) ?? '', guid)], as);
  }
}

async function adoptGuid(store: MailStore, operation: TreeOperation & { readonly op: 'adopt-guid' }): Promise<void> {
  const mailbox = await store.openMailbox(operation.from);
  if (!mailbox) throw new StoreError('NotFound', `mailbox ${name(store, operation.path)} with GUID ${operation.from} is gone`);
  await using opened = mailbox;
  await using transaction = await opened.begin();
  transaction.update({ guid: operation.to });
  await transaction.commit();
}

function isConflict(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.code === 'NotFound' || error.code === 'AlreadyExists' || error.code === 'NotEmpty');
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
