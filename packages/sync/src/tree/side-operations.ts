/** From where everything ends to what one side has to do for it, in an order that a store can carry out. */
import type { MailboxPath } from '@dsync/protocol';

import { orderAdoptions } from './adoptions.ts';
import type { MergedDirectories } from './merge-directories.ts';
import { finalItem, type Item } from './items.ts';
import type { MergedMailboxes } from './merge-mailboxes.ts';
import { bottomUp, ModelTree, pathOfNode } from './model-tree.ts';
import { comparePaths, pathKey, samePath, type Spelling } from './names.ts';
import { renameAll } from './rename-sequence.ts';
import { isMailboxNode, otherSide, type SideTree } from './side-tree.ts';
import type { Side, TreeOperation } from './tree-plan.ts';

/** One side as it is, and where everything ends. */
export interface SideInput {
  readonly tree: SideTree;
  readonly mailboxes: MergedMailboxes;
  readonly directories: MergedDirectories;
  /** Final paths in this side's spelling. */
  readonly paths: ReadonlyMap<Item, MailboxPath>;
  readonly spelling: Spelling;
  /** The nearest name that the side can have. */
  readonly legal: (path: MailboxPath) => MailboxPath;
}

/**
 * Deletions first, so that names are free and a new mailbox of an old name is never taken for it; then GUIDs, renames,
 * new mailboxes (parents first), directories. Each step leaves a tree from which the next run goes on.
 */
export function sideOperations(input: SideInput): TreeOperation[] {
  const { side } = input.tree;
  const model = modelOf(input);
  const operations: TreeOperation[] = deletions(input, model);
  operations.push(...orderAdoptions(input.mailboxes.items, side));
  operations.push(...renameAll(model, input.paths, input.legal));
  operations.push(...creations(input, model));
  const kept = keptDirectories(input);
  operations.push(...newDirectories(input, kept, model));
  operations.push(...emptyDirectories(input, kept, model));
  return operations;
}

function modelOf({ tree, mailboxes }: SideInput): ModelTree {
  const model = new ModelTree();
  for (const node of tree.nodes) {
    if (node.exists) model.add(node.path).directory = !isMailboxNode(node);
  }
  for (const item of mailboxes.items) {
    const node = item[tree.side];
    if (node) model.addMailbox(node.path, item);
  }
  return model;
}

/** Children first: a store then has no reason to keep a directory for them. */
function deletions({ tree, mailboxes }: SideInput, model: ModelTree): TreeOperation[] {
  const order = [...mailboxes.deletions[tree.side]].sort((a, b) => comparePaths(b.node.path, a.node.path));
  return order.map(({ node, at, rule }): TreeOperation => {
    const { path, mailbox } = node;
    model.removeMailbox(model.add(path));
    return { op: 'delete', path, guid: mailbox.guid, at, rule };
  });
}

function creations({ tree, mailboxes, paths }: SideInput, model: ModelTree): TreeOperation[] {
  const operations: TreeOperation[] = [];
  const missing = mailboxes.items.filter((item) => item[tree.side] === undefined);
  const order = missing.flatMap((item) => {
    const path = paths.get(item);
    return path ? [{ item, path }] : [];
  });
  for (const { item, path } of order.sort((a, b) => comparePaths(a.path, b.path))) {
    const { guid } = item;
    const uidValidity = item[otherSide(tree.side)]?.mailbox.uidValidity ?? 0;
    operations.push({ op: 'create', path, guid, uidValidity, rule: 'missing-here' });
    model.addMailbox(path, item);
  }
  return operations;
}

/** In this side's spelling, below the mailboxes that they follow. */
function keptDirectories({ tree, mailboxes, directories, paths, spelling }: SideInput): MailboxPath[] {
  return directories.kept.flatMap((directory) => {
    const own = directory[tree.side];
    const node = own ?? directory[otherSide(tree.side)];
    const from = own ? tree.side : otherSide(tree.side);
    const legal = (part: string): string => spelling.legal(part, tree.side);
    return node ? [spelledPath(node.path, mailboxes.itemAt[from], paths, legal)] : [];
  });
}

function newDirectories({ legal }: SideInput, kept: readonly MailboxPath[], model: ModelTree): TreeOperation[] {
  const operations: TreeOperation[] = [];
  for (const path of [...kept].sort(comparePaths)) {
    // A name that this store cannot have, and no mailbox's: it would only be one more.
    if (model.find(path) || !samePath(legal(path), path)) continue;
    model.add(path).directory = true;
    operations.push({ op: 'create-directory', path, rule: 'directory-missing-here' });
  }
  return operations;
}

function spelledPath(
  path: MailboxPath,
  itemAt: MergedMailboxes['itemAt'][Side],
  paths: ReadonlyMap<Item, MailboxPath>,
  legal: (part: string) => string,
): MailboxPath {
  for (let depth = path.length - 1; depth > 0; depth--) {
    const item = itemAt.get(pathKey(path.slice(0, depth)));
    const above = item ? paths.get(finalItem(item)) : undefined;
    if (above) return [...above, ...path.slice(depth).map(legal)];
  }
  return path.map(legal);
}

/** Directories that nothing is left in and that are not wanted, children first. */
function emptyDirectories(
  { directories, spelling }: SideInput,
  spelled: readonly MailboxPath[],
  model: ModelTree,
): TreeOperation[] {
  const kept = new Set([...directories.kept.map(({ path }) => path), ...spelled].map(pathKey));
  const operations: TreeOperation[] = [];
  for (const node of [...bottomUp(model.root)]) {
    if (!node.directory || node.item || node.children.size > 0) continue;
    const path = pathOfNode(node);
    const key = pathKey(path.map(spelling.common));
    if (kept.has(key) || kept.has(pathKey(path))) continue;
    const { at, rule } = directories.dropped.get(key) ?? { at: 0, rule: 'directory-deleted-there' };
    operations.push({ op: 'delete-directory', path, at, rule });
    model.removeDirectory(node);
  }
  return operations;
}
