/** Names as a Dovecot has to be told them, which takes its escape character and two digits for a byte. */
import type { MailboxPath } from '@dsync/protocol';
import type { TreeNode, TreeSnapshot } from '@dsync/storage';

import { pathKey, withoutCodes } from './names.ts';

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
