/** A tree as messages, and messages from outside as a tree that has been checked. */
import type { Conversation, FieldTypes, MailboxPath, Message, MessageOf, Received } from '@dsync/protocol';
import { mailboxGuid } from '@dsync/protocol';
import type { MailboxStatus, TreeDeletions, TreeNode, TreeSnapshot } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import { pathKey } from './names.ts';

/** A file name can have no more bytes. */
export const MAX_PART_BYTES = 255;
/** Of a whole name with its separators. */
export const MAX_NAME_BYTES = 5_000;
/** Parts of one name. */
export const MAX_LEVELS = 100;
/** Of one tree; each costs some hundred bytes of memory. */
export const MAX_NODES = 1_000_000;

/** A tree from outside. */
export interface ReceivedTree extends TreeSnapshot {
  /** What its sender takes for the beginning of a byte in hexadecimal digits, in names that it is told. */
  readonly escapeChar?: string;
}

/** The messages of a tree: its nodes, the end of the list, and what was deleted. */
export function* treeMessages(tree: TreeSnapshot): Generator<Message> {
  for (const node of tree.nodes) yield nodeMessage(node);
  yield { kind: 'listEnd' };
  const { mailboxes, directories, unsubscribes } = tree.deletions;
  yield {
    kind: 'mailboxDelete',
    separator: tree.separator,
    ...(mailboxes.length > 0 ? { mailboxes: mailboxes.map(({ guid, time }) => ({ hash: guid, time })) } : {}),
    ...(directories.length > 0 ? { directories } : {}),
    ...(unsubscribes.length > 0 ? { unsubscribes } : {}),
  };
}

function nodeMessage(node: TreeNode): MessageOf<'treeNode'> {
  const status = node.exists ? node.mailbox : undefined;
  return {
    kind: 'treeNode',
    path: node.path,
    existence: node.exists ? 'y' : 'n',
    ...(status ? statusFields(status) : {}),
    ...(node.renamedAt > 0 ? { renamedAt: node.renamedAt } : {}),
    ...(node.createdAt > 0 ? { createdAt: node.createdAt } : {}),
    ...(node.subscribed ? { subscribed: true } : {}),
    ...(node.subscriptionChangedAt > 0 ? { subscriptionChangedAt: node.subscriptionChangedAt } : {}),
  };
}

function statusFields(status: MailboxStatus): Partial<MessageOf<'treeNode'>> {
  return {
    mailboxGuid: status.guid,
    ...(status.uidValidity > 0 ? { uidValidity: status.uidValidity } : {}),
    ...(status.uidNext > 0 ? { uidNext: status.uidNext } : {}),
    messages: status.messages,
    highestModseq: status.highestModseq,
    firstRecentUid: status.firstRecentUid,
    ...(status.digest === '' ? {} : { digest: status.digest }),
  };
}

/**
 * Reads a tree to its end, the peer's deletions included.
 * @throws {SyncError} `BadPeerData` for names no mailbox can have, for names and GUIDs that come twice, for other messages
 * @throws {ProtocolError} when the conversation fails
 */
export async function receiveTree(conversation: Conversation): Promise<ReceivedTree> {
  const builder = new TreeBuilder();
  for (;;) {
    const message = await conversation.receive();
    if (message.kind === 'listEnd') break;
    if (message.kind !== 'treeNode') throw unexpected(message);
    builder.add(message);
  }
  const last = await conversation.receive();
  if (last.kind !== 'mailboxDelete') throw unexpected(last);
  return builder.finish(last);
}

/** Makes a tree from messages, one at a time. */
export class TreeBuilder {
  private readonly nodes: TreeNode[] = [];
  private readonly names = new Set<string>();
  private readonly guids = new Set<string>();

  /** @throws {SyncError} `BadPeerData` */
  add(message: MessageOf<'treeNode'>): void {
    checkPath(message.path);
    if (this.nodes.length >= MAX_NODES) throw bad(`more than ${MAX_NODES} names in the tree`);
    const key = pathKey(message.path);
    if (this.names.has(key)) throw bad(`the name ${shown(message.path)} came twice`);
    this.names.add(key);
    // 'd' is a name that is gone; what was deleted comes again with the deletions.
    const exists = message.existence === 'y';
    const mailbox = exists ? statusOf(message) : undefined;
    if (mailbox && this.guids.has(mailbox.guid))
      throw bad(`the mailbox GUID ${mailbox.guid} came twice: ${shown(message.path)}`);
    if (mailbox) this.guids.add(mailbox.guid);
    this.nodes.push({
      path: message.path,
      exists,
      ...(mailbox ? { mailbox } : {}),
      renamedAt: message.renamedAt ?? 0,
      createdAt: message.createdAt ?? 0,
      subscribed: message.subscribed === true,
      subscriptionChangedAt: message.subscriptionChangedAt ?? 0,
    });
  }

  /** @throws {SyncError} `BadPeerData` */
  finish(message: MessageOf<'mailboxDelete'>): ReceivedTree {
    const { separator, escapeChar } = message;
    if (Array.from(separator).length !== 1 || /[\0\r\n]/.test(separator))
      throw bad(`${shown([separator])} is not a hierarchy separator`);
    for (const { path } of this.nodes) {
      if (path.some((part) => part.includes(separator)))
        throw bad(`the name ${shown(path)} has its own separator in a part`);
    }
    const deletions: TreeDeletions = {
      mailboxes: (message.mailboxes ?? []).map(({ hash, time }) => ({ guid: mailboxGuid(hash), time })),
      directories: message.directories ?? [],
      unsubscribes: message.unsubscribes ?? [],
    };
    return { separator, nodes: this.nodes, deletions, ...(escapeChar ? { escapeChar } : {}) };
  }
}

function statusOf(message: MessageOf<'treeNode'>): MailboxStatus | undefined {
  if (message.mailboxGuid === undefined) return undefined;
  return {
    guid: message.mailboxGuid,
    uidValidity: message.uidValidity ?? 0,
    uidNext: message.uidNext ?? 1,
    messages: message.messages ?? 0,
    highestModseq: message.highestModseq ?? 0n,
    firstRecentUid: message.firstRecentUid ?? 0,
    digest: message.digest ?? '',
  };
}

/**
 * Refuses names that no mailbox can have. What a particular store cannot have, the store itself replaces (legalPath).
 * @throws {SyncError} `BadPeerData`
 */
export function checkPath(path: FieldTypes['path']): void {
  if (path.length === 0) throw bad('an empty name');
  if (path.length > MAX_LEVELS) throw bad(`a name of ${path.length} levels, more than ${MAX_LEVELS}: ${shown(path)}`);
  let bytes = path.length - 1;
  for (const part of path) {
    const size = Buffer.byteLength(part);
    bytes += size;
    if (part === '') throw bad(`an empty level in the name ${shown(path)}`);
    if (/[\0\r\n]/.test(part)) throw bad(`NUL, CR or LF in the name ${shown(path)}`);
    if (size > MAX_PART_BYTES)
      throw bad(`a level of ${size} bytes, more than ${MAX_PART_BYTES}, in the name ${shown(path)}`);
  }
  if (bytes > MAX_NAME_BYTES) throw bad(`a name of ${bytes} bytes, more than ${MAX_NAME_BYTES}: ${shown(path)}`);
}

function unexpected(message: Received): SyncError {
  return bad(`message ${message.kind} where a mailbox tree was expected`);
}

function bad(what: string): SyncError {
  return new SyncError('BadPeerData', `the other side's mailbox tree cannot be used: ${what}`);
}

function shown(path: MailboxPath): string {
  return JSON.stringify(path.join('/').slice(0, 80));
}
