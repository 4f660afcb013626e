/**
 * Subscriptions: a set of names, merged by name whatever becomes of the mailboxes. The later change counts; where times are
 * equal or unknown the name is subscribed.
 */
import type { MailboxPath } from '@dsync/protocol';
import type { TreeNode } from '@dsync/storage';

import type { MergedNames } from './merge-names.ts';
import { comparePaths, pathKey, samePath, type Spelling } from './names.ts';
import { nameHash } from './name-hash.ts';
import { legalOn } from './side-names.ts';
import { isUntouched } from './items.ts';
import { otherSide, type SideTree } from './side-tree.ts';
import type { Side, TreeMergeContext, TreeOperation } from './tree-plan.ts';

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
  merged: MergedNames,
): Record<Side, TreeOperation[]> {
  const { spelling } = merged;
  const pairs = pairedNames(merged, context);
  const names = {
    local: byCommonName(sides.local, spelling, pairs.local),
    remote: byCommonName(sides.remote, spelling, pairs.remote),
  };
  const spelledOn = (side: Side, path: MailboxPath): MailboxPath => {
    const pair = pairs[otherSide(side)].get(pathKey(path));
    return pair?.[side] ?? path.map((part) => spelling.legal(part, side));
  };
  /** Not if the store cannot have the name, and it is no mailbox's; or if another mailbox's name there is called so. */
  const canSubscribe = (side: Side, path: MailboxPath): boolean =>
    samePath(legalOn(side, path, context), path) && !pairs[side].has(pathKey(path));
  const operations: Record<Side, TreeOperation[]> = { local: [], remote: [] };
  for (const key of new Set([...names.local.keys(), ...names.remote.keys()])) {
    const present = { local: names.local.get(key) ?? [], remote: names.remote.get(key) ?? [] };
    const local = stateOf(sides.local, present.local, present.remote, spelledOn);
    const remote = stateOf(sides.remote, present.remote, present.local, spelledOn);
    if (local.subscribed === remote.subscribed) continue;
    const winner = winningSide(local, remote, context);
    const loser = otherSide(winner);
    if (isUntouched(loser, context)) continue;
    const [won, lost] = winner === 'local' ? [local, remote] : [remote, local];
    operations[loser].push(...changes(won, lost, loser, { context, spelledOn, canSubscribe }));
  }
  for (const list of Object.values(operations)) list.sort((a, b) => comparePaths(pathOf(a), pathOf(b)));
  return operations;
}

/** What the sides call one mailbox, with a key that no name has. */
interface Pair extends Readonly<Record<Side, MailboxPath>> {
  readonly key: string;
}

/**
 * By each side's names of mailboxes that stay there: those that the sides cannot call alike, or whose common spelling is that
 * of another one as well.
 */
function pairedNames(
  { spelling, mailboxes, paths }: MergedNames,
  context: TreeMergeContext,
): Record<Side, Map<string, Pair>> {
  const shared = new Map<string, number>();
  const common = (path: MailboxPath): string => pathKey(path.map(spelling.common));
  if (!spelling.same)
    for (const { path } of mailboxes.items) shared.set(pathKey(path), (shared.get(pathKey(path)) ?? 0) + 1);
  const pairs = { local: new Map<string, Pair>(), remote: new Map<string, Pair>() };
  for (const item of mailboxes.items) {
    const [local, remote] = [paths.local.get(item), paths.remote.get(item)];
    if (!local || !remote) continue;
    // In a one-way run both sides also keep names that they do not agree about.
    const mayDiffer = context.mode === 'one-way' && item.local !== undefined && item.remote !== undefined;
    const isAlike = (mayDiffer && item.standIn === undefined) || common(local) === common(remote);
    if (isAlike && (shared.get(pathKey(item.path)) ?? 1) < 2) continue;
    const pair: Pair = { local, remote, key: `\0${item.guid}` };
    for (const side of ['local', 'remote'] as const) {
      const present = item[side]?.path;
      if (present && samePath(present, pair[side])) pairs[side].set(pathKey(present), pair);
    }
  }
  return pairs;
}

function byCommonName(side: SideTree, spelling: Spelling, pairs: ReadonlyMap<string, Pair>): Map<string, TreeNode[]> {
  const names = new Map<string, TreeNode[]>();
  for (const node of side.nodes) {
    const key = pairs.get(pathKey(node.path))?.key ?? pathKey(node.path.map(spelling.common));
    const same = names.get(key);
    if (same) same.push(node);
    else names.set(key, [node]);
  }
  return names;
}

type SpelledOn = (side: Side, path: MailboxPath) => MailboxPath;

/** What the side says of the name: by its node, else by what it remembers of an unsubscription. */
function stateOf(side: SideTree, own: readonly TreeNode[], others: readonly TreeNode[], spelledOn: SpelledOn): State {
  let at = 0;
  for (const node of own) at = Math.max(at, node.subscriptionChangedAt);
  if (own.length === 0) {
    for (const { path } of others)
      at = Math.max(at, side.unsubscribes.get(nameHash(spelledOn(side.side, path), side.separator)) ?? 0);
  }
  return { subscribed: own.some((node) => node.subscribed), at, nodes: own };
}

function winningSide(local: State, remote: State, context: TreeMergeContext): Side {
  if (context.mode === 'backup') return context.source;
  if (local.at !== remote.at) return local.at > remote.at ? 'local' : 'remote';
  return local.subscribed ? 'local' : 'remote';
}

interface Names {
  readonly context: TreeMergeContext;
  readonly spelledOn: SpelledOn;
  readonly canSubscribe: (side: Side, path: MailboxPath) => boolean;
}

function changes(won: State, lost: State, side: Side, names: Names): TreeOperation[] {
  const rule = names.context.mode === 'backup' ? 'name-of-source' : 'subscription-changed-later';
  if (!won.subscribed) {
    return lost.nodes
      .filter((node) => node.subscribed)
      .map(({ path }) => ({ op: 'unsubscribe', path, at: won.at, rule }));
  }
  const [known] = lost.nodes;
  const there = won.nodes.find((node) => node.subscribed)?.path;
  const path = known?.path ?? (there && names.spelledOn(side, there));
  if (!path || (!known && !names.canSubscribe(side, path))) return [];
  return [{ op: 'subscribe', path, at: won.at, rule }];
}

function pathOf(operation: TreeOperation): MailboxPath {
  return operation.op === 'rename' ? operation.to : operation.path;
}
