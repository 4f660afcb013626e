/** A tree in memory that operations can be tried on, as a store would carry them out. */
import { compareBytes, type MailboxPath } from '@dsync/protocol';

import type { Item } from './items.ts';

/** A name in the tree. */
export interface ModelNode {
  readonly children: Map<string, ModelNode>;
  name: string;
  parent: ModelNode | null;
  /** A mailbox of the merge; a mailbox that is to be deleted has none. */
  item?: Item | undefined;
  /** Stays without mailbox and children until it is deleted. A store without real directories may lack it. */
  directory: boolean;
}

/** Knows where each item is at any moment, while operations are tried in their order. */
export class ModelTree {
  readonly root: ModelNode = { children: new Map(), name: '', parent: null, directory: true };
  private readonly nodes = new Map<Item, ModelNode>();

  find(path: MailboxPath): ModelNode | undefined {
    let node: ModelNode | undefined = this.root;
    for (const part of path) {
      node = node.children.get(part);
      if (!node) return undefined;
    }
    return node;
  }

  nodeOf(item: Item): ModelNode | undefined {
    return this.nodes.get(item);
  }

  /** Makes the name and its parents, if they are not there. */
  add(path: MailboxPath): ModelNode {
    let node = this.root;
    for (const part of path) {
      let next = node.children.get(part);
      if (!next) {
        next = { children: new Map(), name: part, parent: node, directory: false };
        node.children.set(part, next);
      }
      node = next;
    }
    return node;
  }

  addMailbox(path: MailboxPath, item: Item): void {
    const node = this.add(path);
    node.item = item;
    this.nodes.set(item, node);
  }

  /** Takes the node with all below it to a name that must be free. */
  move(node: ModelNode, to: MailboxPath): void {
    const { parent } = node;
    parent?.children.delete(node.name);
    const above = this.add(to.slice(0, -1));
    node.name = to.at(-1) ?? '';
    node.parent = above;
    above.children.set(node.name, node);
    if (parent) this.prune(parent);
  }

  /** The mailbox goes; with children its name stays as a directory. */
  removeMailbox(node: ModelNode): void {
    if (node.item) this.nodes.delete(node.item);
    node.item = undefined;
    node.directory = node.children.size > 0;
    this.prune(node);
  }

  removeDirectory(node: ModelNode): void {
    node.directory = false;
    this.prune(node);
  }

  /** Names that were there only because something was below them vanish with it. */
  private prune(from: ModelNode): void {
    let node: ModelNode | null = from;
    while (node?.parent && node.children.size === 0 && !node.item && !node.directory) {
      const { parent }: ModelNode = node;
      parent.children.delete(node.name);
      node = parent;
    }
  }
}

/** Where the node is at present. */
export function pathOfNode(node: ModelNode): MailboxPath {
  const parts: string[] = [];
  for (let at: ModelNode = node; at.parent; at = at.parent) parts.push(at.name);
  return parts.toReversed();
}

/** The nodes below, children before parents, siblings bytewise. */
export function* bottomUp(node: ModelNode): Generator<ModelNode> {
  for (const child of [...node.children.values()].sort((a, b) => compareBytes(a.name, b.name))) {
    yield* bottomUp(child);
    yield child;
  }
}
