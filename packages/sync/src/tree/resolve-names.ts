/** From places to names: crossing moves are untangled, and no two mailboxes end with the same name. */
import { compareBytes } from '@dsync/protocol';
import type { MailboxPath } from '@dsync/protocol';

import { mergedGuid } from './inbox-guid.ts';
import { finalItem, type Item } from './items.ts';
import { pathKey, tempName, type Spelling } from './names.ts';
import type { TreeMergeContext } from './tree-plan.ts';

/** Deeper trees than any store has; where moves of two sides pile up higher, a branch is cut off to the top. */
const MAX_DEPTH = 200;
/** After so many rounds nobody gets his second choice any more, so that the search ends. */
const MAX_FLIP_ROUNDS = 50;

/** Sets every item's path. Returns the items without those that became one with another. */
export function resolveNames(items: readonly Item[], context: TreeMergeContext, spelling: Spelling): readonly Item[] {
  let left = items;
  // Each round settles at least the names of one level, gives up a second choice, or makes a name that has the GUID in it.
  for (let round = 0; ; round++) {
    computePaths(left, spelling);
    const conflicts = topmostConflicts(left);
    if (conflicts.length === 0) return left;
    for (const group of conflicts) settle(group, context, round < MAX_FLIP_ROUNDS);
    left = left.filter((item) => !item.mergedInto);
  }
}

/** Follows every item up to the root, breaking cycles on the way. */
function computePaths(items: readonly Item[], spelling: Spelling): void {
  const done = new Set<Item>();
  for (const item of items) {
    const stack: Item[] = [];
    const onStack = new Map<Item, number>();
    let next: Item | null = item;
    while (next && !done.has(next)) {
      const start = onStack.get(next);
      if (start !== undefined) {
        breakCycle(stack.slice(start));
        stack.length = 0;
        onStack.clear();
        next = item;
        continue;
      }
      onStack.set(next, stack.length);
      stack.push(next);
      next = next.place.parent ? finalItem(next.place.parent) : null;
    }
    for (const below of stack.toReversed()) {
      below.path = pathOf(below, spelling);
      done.add(below);
    }
  }
}

function pathOf(item: Item, spelling: Spelling): MailboxPath {
  const { parent, rel } = item.place;
  const above = parent ? finalItem(parent).path : [];
  if (above.length + rel.length > MAX_DEPTH && above.length > 0) {
    detach(item);
    return item.place.rel.map(spelling.common);
  }
  return [...above, ...rel.map(spelling.common)];
}

/**
 * Both sides moved mailboxes below each other. The oldest move that can be taken back is; where none can, the oldest
 * mailbox goes to the top level.
 */
function breakCycle(members: readonly Item[]): void {
  const byAge = [...members].sort((a, b) => a.time - b.time || compareBytes(b.guid, a.guid));
  const flipped = byAge.find((item) => item.otherPlace !== undefined);
  if (flipped) flip(flipped);
  else if (byAge[0]) detach(byAge[0]);
}

function flip(item: Item): void {
  if (!item.otherPlace) return;
  item.place = item.otherPlace;
  item.otherPlace = undefined;
  item.tie = false;
}

function detach(item: Item): void {
  item.place = { parent: null, rel: item.place.rel.slice(-1), spelledBy: item.place.spelledBy };
  item.otherPlace = undefined;
  item.rule = 'name-conflict';
}

/** Names that several items want, of the level nearest to the root that has any. */
function topmostConflicts(items: readonly Item[]): readonly Item[][] {
  const byName = new Map<string, Item[]>();
  for (const item of items) {
    const key = pathKey(item.path);
    const group = byName.get(key);
    if (group) group.push(item);
    else byName.set(key, [item]);
  }
  let depth = Infinity;
  let found: Item[][] = [];
  for (const group of byName.values()) {
    const [first] = group;
    if (group.length < 2 || !first || first.path.length > depth) continue;
    if (first.path.length < depth) found = [];
    depth = first.path.length;
    found.push(group);
  }
  return found;
}

/** One keeps the name; two that neither side could know to be different become one; the others give way. */
function settle(group: readonly Item[], context: TreeMergeContext, flips: boolean): void {
  const ranked = unite([...group].sort(byRight), context);
  const [winner, ...losers] = ranked;
  if (!winner) return;
  for (const loser of losers) {
    // A source keeps its own name whatever is agreed, and the next one-way run would prefer that to a made-up one.
    if (flips && (loser.tie || context.mode === 'one-way') && loser.otherPlace) flip(loser);
    else giveWay(loser, winner);
  }
}

/** Who has the better right to a name: INBOX, the newer, the one known to both sides, the bytewise smaller GUID. */
function byRight(a: Item, b: Item): number {
  const known = (item: Item): number => Number(item.local !== undefined && item.remote !== undefined);
  return Number(b.inbox) - Number(a.inbox) || b.time - a.time || known(b) - known(a) || compareBytes(a.guid, b.guid);
}

/** The best mailbox that only one side has and the best that only the other has: both sides made a mailbox of that name. */
function unite(ranked: readonly Item[], context: TreeMergeContext): readonly Item[] {
  const local = ranked.find((item) => !item.inbox && item.local && !item.remote);
  const remote = ranked.find((item) => !item.inbox && item.remote && !item.local);
  if (!local?.local || !remote?.remote) return ranked;
  const guid = mergedGuid(local, remote, context);
  const [stays, goes] = guid === local.guid ? [local, remote] : [remote, local];
  stays.local = local.local;
  stays.remote = remote.remote;
  stays.time = Math.max(local.time, remote.time);
  stays.rule = 'guid-conflict';
  goes.mergedInto = stays;
  return ranked.filter((item) => item !== goes).sort(byRight);
}

function giveWay(loser: Item, winner: Item): void {
  loser.attempts++;
  const { parent, rel, spelledBy } = loser.place;
  const last = rel.at(-1) ?? '';
  const base = loser.attempts === 1 ? last : last.slice(0, last.lastIndexOf('-temp-'));
  loser.place = { parent, rel: [...rel.slice(0, -1), tempName(base, loser.guid, loser.attempts)], spelledBy };
  loser.otherPlace = undefined;
  loser.time = Math.max(loser.time, winner.time);
  loser.rule = 'name-conflict';
}
