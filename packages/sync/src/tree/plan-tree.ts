/** The merge of two mailbox trees: what each side has to do, from what both have (docs/tree-merge.md). */
import type { MailboxPath } from '@dsync/protocol';

import { mergeDirectories } from './merge-directories.ts';
import { isUntouched, type Item } from './items.ts';
import { mergeNames } from './merge-names.ts';
import { mergeSubscriptions } from './merge-subscriptions.ts';
import { legalOn } from './side-names.ts';
import { comparePaths } from './names.ts';
import { sideOperations } from './side-operations.ts';
import { sideTree } from './side-tree.ts';
import type { MergedMailbox, PlanTree, Side, TreeOperation } from './tree-plan.ts';

/**
 * Plans both sides. Both ends call it, each with its own tree as `local`, and get each other's lists exchanged: nothing
 * in it depends on which side is the local one, or on the order of nodes.
 * @throws {SyncError} `BadPeerData` when a tree has a name or a mailbox GUID twice
 */
export const planTree: PlanTree = (localTree, remoteTree, context) => {
  const sides = { local: sideTree('local', localTree), remote: sideTree('remote', remoteTree) };
  const merged = mergeNames(sides, context);
  const { spelling, mailboxes, paths } = merged;
  const directories = mergeDirectories(sides, mailboxes, context, spelling);
  const subscriptions = mergeSubscriptions(sides, context, merged);
  const operations = (side: Side): TreeOperation[] => {
    if (isUntouched(side, context)) return [];
    const legal = (path: MailboxPath): MailboxPath => legalOn(side, path, context);
    const input = { tree: sides[side], mailboxes, directories, paths: paths[side], spelling, legal };
    return [...sideOperations(input), ...subscriptions[side]];
  };
  return {
    local: operations('local'),
    remote: operations('remote'),
    mailboxes: commonMailboxes(mailboxes.items, paths),
  };
};

function commonMailboxes(
  items: readonly Item[],
  paths: Readonly<Record<Side, ReadonlyMap<Item, MailboxPath>>>,
): MergedMailbox[] {
  const found: MergedMailbox[] = [];
  for (const item of items) {
    const localPath = paths.local.get(item);
    const remotePath = paths.remote.get(item);
    if (!localPath || !remotePath) continue;
    found.push({
      guid: item.guid,
      localPath,
      remotePath,
      ...(item.local ? { local: item.local.mailbox } : {}),
      ...(item.remote ? { remote: item.remote.mailbox } : {}),
    });
  }
  return found.sort((a, b) => comparePaths(a.localPath, b.localPath));
}
