/** The merge of two mailbox trees: what each side has to do, from what both have (docs/tree-merge.md). */
import type { MailboxPath } from '@dsync/protocol';

import { mergeDirectories } from './merge-directories.ts';
import { finalItem, isUntouched, type Item } from './items.ts';
import { mergeMailboxes, type MergedMailboxes } from './merge-mailboxes.ts';
import { mergeSubscriptions } from './merge-subscriptions.ts';
import { comparePaths, pathKey, samePath, spellingOf, type Spelling } from './names.ts';
import { sideOperations } from './side-operations.ts';
import { sideTree, type Side, type SideTree } from './side-tree.ts';
import type { MergedMailbox, PlanTree, TreeMergeContext, TreeOperation } from './tree-plan.ts';

/**
 * Plans both sides. Both ends call it, each with its own tree as `local`, and get each other's lists exchanged: nothing
 * in it depends on which side is the local one, or on the order of nodes.
 * @throws {SyncError} `BadPeerData` when a tree has a name or a mailbox GUID twice
 */
export const planTree: PlanTree = (localTree, remoteTree, context) => {
  const sides = { local: sideTree('local', localTree), remote: sideTree('remote', remoteTree) };
  const spelling = spellingOf(localTree.separator, remoteTree.separator, context.altChar, context.escapeChar);
  const mailboxes = mergeMailboxes(sides.local, sides.remote, context, spelling);
  const directories = mergeDirectories(sides, mailboxes, context, spelling);
  const subscriptions = mergeSubscriptions(sides, context, spelling);
  const paths = {
    local: pathsOn('local', sides, mailboxes, context, spelling),
    remote: pathsOn('remote', sides, mailboxes, context, spelling),
  };
  const operations = (side: Side): TreeOperation[] => {
    if (isUntouched(side, context)) return [];
    const input = { tree: sides[side], mailboxes, directories, paths: paths[side], spelling };
    return [...sideOperations(input), ...subscriptions[side]];
  };
  return {
    local: operations('local'),
    remote: operations('remote'),
    mailboxes: commonMailboxes(mailboxes.items, paths),
  };
};

/** Final paths as the side writes them. A mailbox that a side neither has nor gets is left out. */
function pathsOn(
  side: Side,
  sides: Readonly<Record<Side, SideTree>>,
  { items, itemAt }: MergedMailboxes,
  context: TreeMergeContext,
  spelling: Spelling,
): Map<Item, MailboxPath> {
  const paths = new Map<Item, MailboxPath>();
  if (isUntouched(side, context)) {
    for (const item of items) {
      const node = item[side];
      if (node) paths.set(item, node.path);
    }
    return paths;
  }
  const known = spelling.same ? new Map<string, string>() : spelledParts(sides[side], spelling);
  // Parents have shorter paths than their children.
  for (const item of [...items].sort((a, b) => a.path.length - b.path.length)) {
    const parent = item.place.parent ? finalItem(item.place.parent) : null;
    const above = parent ? paths.get(parent) : [];
    const rel = spelledRel(item, side, itemAt[side], known, sides[side].separator, spelling);
    paths.set(item, [...(above ?? parent?.path ?? []), ...rel]);
  }
  return paths;
}

/** The last part of each of the side's names, by the name in common spelling. */
function spelledParts(tree: SideTree, spelling: Spelling): Map<string, string> {
  const parts = new Map<string, string>();
  for (const { path } of [...tree.nodes].sort((a, b) => comparePaths(b.path, a.path))) {
    for (let depth = 1; depth <= path.length; depth++) {
      parts.set(pathKey(path.slice(0, depth).map(spelling.common)), path[depth - 1] ?? '');
    }
  }
  return parts;
}

/** A name that the side has already stays as it is there; otherwise it is spelled as the other side does, where possible. */
function spelledRel(
  item: Item,
  side: Side,
  itemAt: ReadonlyMap<string, Item>,
  known: ReadonlyMap<string, string>,
  separator: string,
  spelling: Spelling,
): MailboxPath {
  const { rel } = item.place;
  if (spelling.same) return rel;
  const own = item[side]?.path;
  if (own) {
    const tail = own.slice(-rel.length);
    const above = own.slice(0, -rel.length);
    const fits = samePath(tail.map(spelling.common), rel.map(spelling.common));
    if (fits && (above.length === 0 || itemAt.has(pathKey(above)))) return tail;
  }
  const above = item.path.slice(0, item.path.length - rel.length);
  return rel.map((part, i) => {
    const common = [...above, ...rel.slice(0, i + 1).map(spelling.common)];
    const last = i === rel.length - 1;
    return (last ? undefined : known.get(pathKey(common))) ?? spelling.legal(part, separator);
  });
}

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
