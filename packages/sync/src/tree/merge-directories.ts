/**
 * Names that exist without a mailbox (LAYOUT=fs). Only those count that nothing is below in the end: the others come and
 * stay with what is below them.
 */
import type { MailboxPath } from '@dsync/protocol';
import type { TreeNode } from '@dsync/storage';

import { finalItem } from './items.ts';
import type { MergedMailboxes } from './merge-mailboxes.ts';
import { isMailboxNode, otherSide, type SideTree } from './side-tree.ts';
import { pathKey, type Spelling } from './names.ts';
import { nameHash } from './name-hash.ts';
import type { Side, TreeMergeContext, TreeRule } from './tree-plan.ts';

/** A directory at its final place; `local` and `remote` are the sides' nodes of it. */
export interface Directory {
  /** In the spelling that both sides have in common. */
  readonly path: MailboxPath;
  local?: TreeNode;
  remote?: TreeNode;
}

/** What becomes of all directories. */
export interface MergedDirectories {
  /** Empty directories that both sides have in the end. */
  readonly kept: readonly Directory[];
  /** By final path: why a directory goes. */
  readonly dropped: ReadonlyMap<string, { readonly at: number; readonly rule: TreeRule }>;
}

/** A directory that one side lacks is made there, unless it was deleted there later; in a backup the source alone counts. */
export function mergeDirectories(
  sides: Readonly<Record<Side, SideTree>>,
  mailboxes: MergedMailboxes,
  context: TreeMergeContext,
  spelling: Spelling,
): MergedDirectories {
  const directories = new Map<string, Directory>();
  for (const side of ['local', 'remote'] as const) {
    for (const node of sides[side].nodes) {
      if (!node.exists || isMailboxNode(node)) continue;
      const path = finalPath(node.path, mailboxes.itemAt[side], spelling);
      const key = pathKey(path);
      const known: Directory = directories.get(key) ?? { path };
      known[side] ??= node;
      directories.set(key, known);
    }
  }
  const used = new Set<string>();
  const use = (path: MailboxPath): void => {
    for (let depth = 1; depth <= path.length; depth++) used.add(pathKey(path.slice(0, depth)));
  };
  for (const item of mailboxes.items) use(item.path);
  const held = { local: parentsOfMailboxes(sides.local), remote: parentsOfMailboxes(sides.remote) };
  const kept: Directory[] = [];
  const dropped = new Map<string, { at: number; rule: TreeRule }>();
  for (const directory of [...directories.values()].sort((a, b) => b.path.length - a.path.length)) {
    const key = pathKey(directory.path);
    if (used.has(key)) continue;
    const end = whyDropped(directory, sides, held, context, spelling);
    if (end) dropped.set(key, end);
    else {
      kept.push(directory);
      use(directory.path);
    }
  }
  return { kept, dropped };
}

/** A directory follows the mailbox that it is below. */
export function finalPath(path: MailboxPath, itemAt: MergedMailboxes['itemAt'][Side], spelling: Spelling): MailboxPath {
  for (let depth = path.length - 1; depth > 0; depth--) {
    const item = itemAt.get(pathKey(path.slice(0, depth)));
    if (item) return [...finalItem(item).path, ...path.slice(depth).map(spelling.common)];
  }
  return path.map(spelling.common);
}

function whyDropped(
  directory: Directory,
  sides: Readonly<Record<Side, SideTree>>,
  held: Readonly<Record<Side, ReadonlySet<string>>>,
  context: TreeMergeContext,
  spelling: Spelling,
): { at: number; rule: TreeRule } | null {
  if (context.mode === 'backup') return directory[context.source] ? null : { at: 0, rule: 'not-in-source' };
  if (directory.local && directory.remote) return null;
  const side = directory.local ? 'local' : 'remote';
  const node = directory[side];
  if (!node) return null;
  const other = sides[otherSide(side)];
  const path = node.path.map((part) => spelling.legal(part, other.side));
  const at = other.deletedDirectories.get(nameHash(path, other.separator));
  if (at !== undefined && at > Math.max(node.renamedAt, node.createdAt)) return { at, rule: 'directory-deleted-there' };
  // It was there for mailboxes that the other side has taken elsewhere or deleted, and the other side has it no more.
  return held[side].has(pathKey(node.path)) ? { at: 0, rule: 'directory-deleted-there' } : null;
}

function parentsOfMailboxes(side: SideTree): Set<string> {
  const parents = new Set<string>();
  for (const { path } of side.mailboxes.values()) {
    for (let depth = 1; depth < path.length; depth++) parents.add(pathKey(path.slice(0, depth)));
  }
  return parents;
}
