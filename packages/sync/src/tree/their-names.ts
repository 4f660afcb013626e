/** The own tree by the names that a Dovecot has, or is to have, for what is in it. */
import type { MailboxPath } from '@dsync/protocol';
import type { TreeNode, TreeSnapshot } from '@dsync/storage';

import { finalItem, type Item } from './items.ts';
import { mergeNames, type MergedNames } from './merge-names.ts';
import { pathKey, samePath, tempName } from './names.ts';
import { isMailboxNode, sideTree, type SideTree } from './side-tree.ts';
import type { TreeMergeContext } from './tree-plan.ts';

/**
 * What the receiver has under another name than ours, because one of the two cannot have the other's, is told by its own, and
 * so is what is below; what it is to make, by the name that is free there. Told by ours, a Dovecot would give its mailbox that
 * name, or look for one by rules of its own, in every run anew.
 */
export function inTheirSpelling(tree: TreeSnapshot, receiver: TreeSnapshot, context: TreeMergeContext): TreeSnapshot {
  const sides = { local: sideTree('local', tree), remote: sideTree('remote', receiver) };
  const names = new TheirNames(sides.remote, mergeNames(sides, context));
  const taken = new Set<string>();
  const mailboxes = new Map<TreeNode, TreeNode>();
  for (const node of tree.nodes.filter(isMailboxNode)) {
    let path = names.ofMailboxAt(node.path);
    // One that is about to move can be in the way of another.
    for (let attempt = 1; taken.has(pathKey(path)); attempt++)
      path = [...path.slice(0, -1), tempName(node.path.at(-1) ?? '', node.mailbox.guid, attempt)];
    taken.add(pathKey(path));
    mailboxes.set(node, renamed(node, path));
  }
  const tell = (node: TreeNode): TreeNode[] => {
    const mailbox = mailboxes.get(node);
    if (mailbox) return [mailbox];
    const path = names.ofName(node.path);
    if (taken.has(pathKey(path))) return [];
    taken.add(pathKey(path));
    return [renamed(node, path)];
  };
  return { ...tree, nodes: tree.nodes.flatMap(tell) };
}

function renamed(node: TreeNode, path: MailboxPath): TreeNode {
  return samePath(path, node.path) ? node : { ...node, path };
}

class TheirNames {
  private readonly remote: SideTree;
  private readonly merged: MergedNames;
  private readonly found = new Map<Item, MailboxPath>();

  constructor(remote: SideTree, merged: MergedNames) {
    this.remote = remote;
    this.merged = merged;
  }

  ofMailboxAt(path: MailboxPath): MailboxPath {
    const item = this.itemAt(path);
    return item ? this.ofItem(item) : this.ofName(path);
  }

  /** Of a directory or a subscription: what is there under that name, be it in another spelling. */
  ofName(path: MailboxPath): MailboxPath {
    const { above, rel } = this.split(path);
    const at = above ? this.ofItem(above) : [];
    const common = above ? finalItem(above).path : [];
    const name = [...at, ...this.merged.spell.on('remote', rel, common)];
    return this.remote.byKey.has(pathKey(name)) ? name : [...at, ...this.merged.spell.known('remote', rel, common)];
  }

  private ofItem(given: Item): MailboxPath {
    const known = this.found.get(given);
    if (known) return known;
    const name = this.finalName(given) ?? this.presentName(given);
    this.found.set(given, name);
    return name;
  }

  /** Below what is above it here, the name that it has or gets there; null: it is about to move here. */
  private finalName(given: Item): MailboxPath | null {
    const item = finalItem(given);
    const { local, remote } = this.merged.paths;
    const [own, theirs] = [local.get(item), remote.get(item)];
    const present = given.local?.path;
    if (!theirs || !own || !present) return theirs ?? null;
    const { above, rel } = this.split(present);
    const at = above ? local.get(finalItem(above)) : [];
    if (!at || !samePath(own, [...at, ...rel])) return null;
    const parent = item.place.parent && finalItem(item.place.parent);
    const below = parent ? (remote.get(parent) ?? []) : [];
    const isBelow = parent && samePath(theirs.slice(0, below.length), below);
    return isBelow ? [...this.ofItem(parent), ...theirs.slice(below.length)] : theirs;
  }

  private presentName(given: Item): MailboxPath {
    const { above, rel } = this.split(given.local?.path ?? given.path);
    const common = above ? finalItem(above).path : [];
    return [...(above ? this.ofItem(above) : []), ...this.merged.spell.on('remote', rel, common)];
  }

  private itemAt(path: MailboxPath): Item | undefined {
    return this.merged.mailboxes.itemAt.local.get(pathKey(path));
  }

  /** The nearest mailbox above, and the rest. */
  private split(path: MailboxPath): { readonly above: Item | null; readonly rel: MailboxPath } {
    for (let depth = path.length - 1; depth > 0; depth--) {
      const above = this.itemAt(path.slice(0, depth));
      if (above) return { above, rel: path.slice(depth) };
    }
    return { above: null, rel: path };
  }
}
