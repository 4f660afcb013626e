/** Names as a Dovecot has to be told them, which takes its escape character and two digits for a byte. */
import type { MailboxPath, TimedHash } from '@dsync/protocol';
import type { TreeNode, TreeSnapshot } from '@dsync/storage';

import { nameHash } from './name-hash.ts';
import { pathKey, spellingOf, withoutCodes } from './names.ts';

/**
 * As if names were written with the separator of the receiver, whose tree is known. A Dovecot 2.3 that is told of a deletion by
 * the hash of a name hangs and takes all memory unless the separator is its own. What the receiver does
 * not have it need not be told of, so every hash that can mean anything to it is found by its own names.
 */
export function withSeparator(tree: TreeSnapshot, receiver: TreeSnapshot, altChar: string): TreeSnapshot {
  const { separator } = receiver;
  if (tree.separator === separator) return tree;
  const { legal } = spellingOf({ local: tree.separator, remote: separator }, altChar);
  const theirs = new Map<string, string>();
  for (const { path } of receiver.nodes) {
    for (let length = 1; length <= path.length; length++) {
      const name = path.slice(0, length);
      const own = name.map((part) => legal(part, 'local'));
      theirs.set(nameHash(own, tree.separator), nameHash(name, separator));
    }
  }
  const tell = ({ hash, time }: TimedHash): TimedHash[] => {
    const other = theirs.get(hash);
    return other === undefined ? [] : [{ hash: other, time }];
  };
  const { mailboxes, directories, unsubscribes } = tree.deletions;
  const deletions = { mailboxes, directories: directories.flatMap(tell), unsubscribes: unsubscribes.flatMap(tell) };
  return { ...tree, separator, deletions };
}

/**
 * A directory that holds a mailbox is told as a name that does not exist, as a Maildir++ has it: it comes with the mailbox.
 * A Dovecot that is told of it renames a mailbox to below it, which makes it, and then cannot make it once more (status 2).
 */
export function withoutParents(tree: TreeSnapshot): TreeSnapshot {
  const parents = new Set<string>();
  for (const { path, exists, mailbox } of tree.nodes) {
    if (!exists || mailbox === undefined) continue;
    for (let depth = 1; depth < path.length; depth++) parents.add(pathKey(path.slice(0, depth)));
  }
  const tell = (node: TreeNode): TreeNode =>
    node.mailbox === undefined && parents.has(pathKey(node.path)) ? { ...node, exists: false } : node;
  return { ...tree, nodes: tree.nodes.map(tell) };
}

/** For one that decodes what it is told: the escape character itself is told by its code. */
export function encodeNames(tree: TreeSnapshot, escapeChar: string): TreeSnapshot {
  const code = `${escapeChar}${Buffer.from(escapeChar).toString('hex')}`;
  const told = (path: MailboxPath): MailboxPath => path.map((part) => part.replaceAll(escapeChar, code));
  return { ...tree, nodes: tree.nodes.map((node) => ({ ...node, path: told(node.path) })) };
}

/**
 * For one that also tells its own names decoded, so that it cannot have such a name: the name that it has instead. Some
 * would kill it, as those whose bytes are no text. Of two names that become one, the second gets one more character.
 */
export function replaceCodes(tree: TreeSnapshot, escapeChar: string, altChar: string): TreeSnapshot {
  const plain = withoutCodes(escapeChar, altChar);
  const free = (node: TreeNode): boolean => node.path.every((part) => plain(part) === part);
  const taken = new Set(tree.nodes.filter(free).map(({ path }) => pathKey(path)));
  const nodes = tree.nodes.map((node) => {
    if (free(node)) return node;
    const path = node.path.map(plain);
    while (taken.has(pathKey(path))) path.push(`${path.pop() ?? ''}${altChar}`);
    taken.add(pathKey(path));
    return { ...node, path };
  });
  return { ...tree, nodes };
}
