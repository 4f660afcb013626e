/** One side's tree, checked and indexed for the merge. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';
import type { MailboxStatus, TreeNode, TreeSnapshot } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import { isInbox, pathKey } from './names.ts';
import type { Side } from './tree-plan.ts';

/** A node with a mailbox. */
export interface MailboxNode extends TreeNode {
  readonly mailbox: MailboxStatus;
}

/** A tree by `pathKey`, by GUID and by the hashes of what was deleted. Times are Unix seconds. */
export interface SideTree {
  readonly side: Side;
  readonly separator: string;
  readonly nodes: readonly TreeNode[];
  readonly byKey: ReadonlyMap<string, TreeNode>;
  readonly inbox: MailboxNode | undefined;
  /** All mailboxes but INBOX. */
  readonly mailboxes: ReadonlyMap<MailboxGuid, MailboxNode>;
  readonly deletedMailboxes: ReadonlyMap<string, number>;
  readonly deletedDirectories: ReadonlyMap<string, number>;
  readonly unsubscribes: ReadonlyMap<string, number>;
}

/** The side across. */
export function otherSide(side: Side): Side {
  return side === 'local' ? 'remote' : 'local';
}

/** @throws {SyncError} `BadPeerData` when a name or a mailbox GUID occurs twice */
export function sideTree(side: Side, tree: TreeSnapshot): SideTree {
  const byKey = new Map<string, TreeNode>();
  const mailboxes = new Map<MailboxGuid, MailboxNode>();
  let inbox: MailboxNode | undefined;
  for (const node of tree.nodes) {
    const key = pathKey(node.path);
    if (byKey.has(key))
      throw new SyncError('BadPeerData', `${side} tree has the name ${show(node.path, tree.separator)} twice`);
    byKey.set(key, node);
    if (!isMailboxNode(node)) continue;
    if (mailboxes.has(node.mailbox.guid) || inbox?.mailbox.guid === node.mailbox.guid) {
      throw new SyncError(
        'BadPeerData',
        `${side} tree has the mailbox GUID ${node.mailbox.guid} twice: ${show(node.path, tree.separator)}`,
      );
    }
    if (isInbox(node.path)) {
      if (mailboxes.has(node.mailbox.guid))
        throw new SyncError('BadPeerData', `${side} tree has the mailbox GUID of INBOX twice`);
      inbox = node;
    } else mailboxes.set(node.mailbox.guid, node);
  }
  return {
    side,
    separator: tree.separator,
    nodes: tree.nodes,
    byKey,
    inbox,
    mailboxes,
    deletedMailboxes: new Map(tree.deletions.mailboxes.map((d) => [d.guid, d.time])),
    deletedDirectories: latest(tree.deletions.directories),
    unsubscribes: latest(tree.deletions.unsubscribes),
  };
}

/** Whether there is a mailbox, and not only a directory or a subscription. */
export function isMailboxNode(node: TreeNode): node is MailboxNode {
  return node.exists && node.mailbox !== undefined;
}

/** The record of the last time for each hash. */
function latest(records: readonly { readonly hash: string; readonly time: number }[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { hash, time } of records) times.set(hash, Math.max(time, times.get(hash) ?? 0));
  return times;
}

/** A name in a message: one line, not endless. */
export function show(path: MailboxPath, separator: string): string {
  return JSON.stringify(path.join(separator).slice(0, 200));
}
