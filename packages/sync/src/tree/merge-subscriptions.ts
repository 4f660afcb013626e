/**
 * Subscriptions: a set of names, merged by name whatever becomes of the mailboxes. The later change counts; where times are
 * equal or unknown the name is subscribed.
 */
import type { MailboxPath } from '@dsync/protocol';
import type { TreeNode } from '@dsync/storage';

import { comparePaths, pathKey, type Spelling } from './names.ts';
import { nameHash } from './name-hash.ts';
import { isUntouched } from './items.ts';
import { otherSide, type Side, type SideTree } from './side-tree.ts';
import type { TreeMergeContext, TreeOperation } from './tree-plan.ts';

interface State {
  readonly subscribed: boolean;
  readonly at: number;
  /** The side's nodes of that name; several if it spells one name in several ways. */
  readonly nodes: readonly TreeNode[];
}

/** Each side's operations, in tree order. */
export function mergeSubscriptions(
  sides: Readonly<Record<Side, SideTree>>,
  context: TreeMergeContext,
  spelling: Spelling,
): Record<Side, TreeOperation[]> {
  const names = { local: byCommonName(sides.local, spelling), remote: byCommonName(sides.remote, spelling) };
  const operations: Record<Side, TreeOperation[]> = { local: [], remote: [] };
  for (const key of new Set([...names.local.keys(), ...names.remote.keys()])) {
    const present = { local: names.local.get(key) ?? [], remote: names.remote.get(key) ?? [] };
    const local = stateOf(sides.local, present.local, present.remote, spelling);
    const remote = stateOf(sides.remote, present.remote, present.local, spelling);
    if (local.subscribed === remote.subscribed) continue;
    const winner = winningSide(local, remote, context);
    const loser = otherSide(winner);
    if (isUntouched(loser, context)) continue;
    const [won, lost] = winner === 'local' ? [local, remote] : [remote, local];
    operations[loser].push(...changes(won, lost, sides[loser], context, spelling));
  }
  for (const list of Object.values(operations)) list.sort((a, b) => comparePaths(pathOf(a), pathOf(b)));
  return operations;
}

function byCommonName(side: SideTree, spelling: Spelling): Map<string, TreeNode[]> {
  const names = new Map<string, TreeNode[]>();
  for (const node of side.nodes) {
    const key = pathKey(node.path.map(spelling.common));
    const same = names.get(key);
    if (same) same.push(node);
    else names.set(key, [node]);
  }
  return names;
}

/** What the side says of the name: by its node, else by what it remembers of an unsubscription. */
function stateOf(side: SideTree, own: readonly TreeNode[], others: readonly TreeNode[], spelling: Spelling): State {
  let at = 0;
  for (const node of own) at = Math.max(at, node.subscriptionChangedAt);
  if (own.length === 0) {
    for (const node of others) {
      const path = node.path.map((part) => spelling.legal(part, side.separator));
      at = Math.max(at, side.unsubscribes.get(nameHash(path, side.separator)) ?? 0);
    }
  }
  return { subscribed: own.some((node) => node.subscribed), at, nodes: own };
}

function winningSide(local: State, remote: State, context: TreeMergeContext): Side {
  if (context.mode === 'backup') return context.source;
  if (local.at !== remote.at) return local.at > remote.at ? 'local' : 'remote';
  return local.subscribed ? 'local' : 'remote';
}

function changes(
  won: State,
  lost: State,
  side: SideTree,
  context: TreeMergeContext,
  spelling: Spelling,
): TreeOperation[] {
  const rule = context.mode === 'backup' ? 'name-of-source' : 'subscription-changed-later';
  if (!won.subscribed) {
    return lost.nodes
      .filter((node) => node.subscribed)
      .map(({ path }) => ({ op: 'unsubscribe', path, at: won.at, rule }));
  }
  const spelled =
    lost.nodes[0]?.path ??
    won.nodes.find((node) => node.subscribed)?.path.map((part) => spelling.legal(part, side.separator));
  return spelled ? [{ op: 'subscribe', path: spelled, at: won.at, rule }] : [];
}

function pathOf(operation: TreeOperation): MailboxPath {
  return operation.op === 'rename' ? operation.to : operation.path;
}
