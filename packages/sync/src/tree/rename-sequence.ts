/**
 * In which order one side renames its mailboxes: `rename` takes everything below along, and the new name must be free.
 *
 * Names are settled level by level from the root, so that a parent is in place before its children. Invariant: once a
 * mailbox is in place, every mailbox above it is in place too, and so nothing moves it any more.
 */
import type { MailboxPath } from '@dsync/protocol';

import type { Item } from './items.ts';
import { bottomUp, pathOfNode, type ModelNode, type ModelTree } from './model-tree.ts';
import { comparePaths, samePath, tempName } from './names.ts';
import type { TreeOperation } from './tree-plan.ts';

/** How many mailboxes in a row are moved on to make room before one is put aside instead; bounds the recursion. */
const MAX_CHAIN = 100;

/**
 * Changes `tree` so that every item of `wanted` that it has is at its path, and returns how.
 * @param legal the nearest name that the side can have, for those that are needed for a while
 */
export function renameAll(
  tree: ModelTree,
  wanted: ReadonlyMap<Item, MailboxPath>,
  legal: (path: MailboxPath) => MailboxPath,
): TreeOperation[] {
  return new RenameSequence(tree, wanted, legal).run();
}

class RenameSequence {
  private readonly operations: TreeOperation[] = [];
  private readonly tree: ModelTree;
  private readonly wanted: ReadonlyMap<Item, MailboxPath>;
  private readonly legal: (path: MailboxPath) => MailboxPath;

  constructor(tree: ModelTree, wanted: ReadonlyMap<Item, MailboxPath>, legal: (path: MailboxPath) => MailboxPath) {
    this.tree = tree;
    this.wanted = wanted;
    this.legal = legal;
  }

  run(): TreeOperation[] {
    const order = [...this.wanted].filter(([item]) => this.tree.nodeOf(item));
    order.sort(([, a], [, b]) => a.length - b.length || comparePaths(a, b));
    for (const [item, path] of order) this.place(item, path);
    return this.operations;
  }

  private place(item: Item, path: MailboxPath): void {
    this.clearAbove(path);
    const node = this.tree.nodeOf(item);
    if (!node || this.tree.find(path) === node) return;
    this.clear(path, new Set([item]));
    // Making room may have moved it, as one above or below.
    if (!samePath(pathOfNode(node), path)) this.rename(node, path, item);
  }

  /** Mailboxes above a final name that have to go elsewhere are put aside first: they would take it along. */
  private clearAbove(path: MailboxPath): void {
    for (let depth = 1; depth < path.length; depth++) {
      const above = path.slice(0, depth);
      const node = this.tree.find(above);
      if (node?.item && !this.inPlace(node.item, above)) this.putAside(node, above);
    }
  }

  private clear(path: MailboxPath, moving: Set<Item>): void {
    const there = this.tree.find(path);
    if (!there) return;
    if (there.item) {
      if (!this.moveOn(there.item, path, moving)) this.putAside(there, path);
      return;
    }
    // A mere directory: what is below comes back when its level is settled.
    for (const child of topMailboxes(there)) this.putAside(child, path);
    for (const below of [...bottomUp(there), there]) {
      if (below.directory) this.deleteDirectory(below);
    }
  }

  /** Moves the mailbox that is in the way to its own final name, if that is as near to the root and can be had. */
  private moveOn(item: Item, at: MailboxPath, moving: Set<Item>): boolean {
    const path = this.wanted.get(item);
    if (!path || path.length !== at.length || moving.size > MAX_CHAIN || moving.has(item)) return false;
    moving.add(item);
    for (let depth = 1; depth < path.length; depth++) {
      const above = path.slice(0, depth);
      const node = this.tree.find(above);
      if (node?.item && !this.inPlace(node.item, above)) return false;
    }
    const there = this.tree.find(path);
    if (there && !(there.item && this.moveOn(there.item, path, moving))) return false;
    const node = this.tree.nodeOf(item);
    if (!node || this.tree.find(path) || !samePath(pathOfNode(node), at)) return false;
    this.rename(node, path, item);
    return true;
  }

  private inPlace(item: Item, path: MailboxPath): boolean {
    const wanted = this.wanted.get(item);
    return wanted !== undefined && samePath(wanted, path);
  }

  /** To a name that tells whose it is, beside `beside`. An interrupted run leaves it; the next one knows it (isTempName). */
  private putAside(node: ModelNode, beside: MailboxPath): void {
    const { item } = node;
    if (!item) return;
    for (let attempt = 1; ; attempt++) {
      const to = this.legal([...beside.slice(0, -1), tempName(node.name, item.guid, attempt)]);
      if (this.tree.find(to)) continue;
      this.rename(node, to, item);
      return;
    }
  }

  private rename(node: ModelNode, to: MailboxPath, item: Item): void {
    this.takeOut(node, to);
    const from = pathOfNode(node);
    this.tree.move(node, to);
    this.operations.push({
      op: 'rename',
      from,
      to,
      at: item.time,
      rule: item.rule === 'missing-here' ? 'name-conflict' : item.rule,
    });
  }

  /** What is below and could not go along, since its name would be one that the side cannot have, goes to the top first. */
  private takeOut(node: ModelNode, to: MailboxPath): void {
    const from = pathOfNode(node);
    const staysLegal = (below: ModelNode): boolean => {
      const moved = [...to, ...pathOfNode(below).slice(from.length)];
      return below.item === undefined || samePath(this.legal(moved), moved);
    };
    for (const below of [...bottomUp(node)].toReversed()) {
      const { item } = below;
      // One above it may have taken it out already.
      if (!item || staysLegal(below) || !isBelow(below, node)) continue;
      const wanted = this.wanted.get(item);
      if (wanted?.length === 1 && !this.tree.find(wanted)) this.rename(below, wanted, item);
      else this.putAside(below, []);
    }
  }

  private deleteDirectory(node: ModelNode): void {
    this.operations.push({ op: 'delete-directory', path: pathOfNode(node), at: 0, rule: 'name-conflict' });
    this.tree.removeDirectory(node);
  }
}

function isBelow(node: ModelNode, above: ModelNode): boolean {
  for (let at = node.parent; at; at = at.parent) if (at === above) return true;
  return false;
}

/** The mailboxes below a directory that have no mailbox between. */
function topMailboxes(directory: ModelNode): ModelNode[] {
  const found: ModelNode[] = [];
  for (const child of directory.children.values()) {
    if (child.item) found.push(child);
    else found.push(...topMailboxes(child));
  }
  return found.sort((a, b) => comparePaths(pathOfNode(a), pathOfNode(b)));
}
