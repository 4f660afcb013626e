/** From places to names: crossing moves are untangled, and no two mailboxes end with the same name. */
import { compareBytes } from '@dsync/protocol';
import type { MailboxPath } from '@dsync/protocol';

import { mergedGuid } from './inbox-guid.ts';
import { finalItem, type Item } from './items.ts';
import { pathKey, samePath, tempName } from './names.ts';
import { otherSide } from './side-tree.ts';
import type { Spell } from './side-names.ts';
import type { TreeMergeContext } from './tree-plan.ts';

/** Deeper trees than any store has; where moves of two sides pile up higher, a branch is cut off to the top. */
const MAX_DEPTH = 200;
/** After so many rounds nobody gets his second choice any more, so that the search ends. */
const MAX_FLIP_ROUNDS = 50;

/** Sets every item's path. Returns the items without those that became one with another. */
export function resolveNames(items: readonly Item[], context: TreeMergeContext, spell: Spell): readonly Item[] {
  let left = items;
  // Each round settles at least the names of one level, gives up a second choice, or makes a name that has the GUID in it.
  for (let round = 0; ; round++) {
    computePaths(left, spell);
    const conflicts = topmostConflicts(left);
    if (conflicts.length === 0) return left;
    for (const group of conflicts) settle(group, context, round < MAX_FLIP_ROUNDS);
    left = left.filter((item) => !item.mergedInto);
  }
}

/** Follows every item up to the root, breaking cycles on the way. */
function computePaths(items: readonly Item[], spell: Spell): void {
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
      setPath(below, spell);
      done.add(below);
    }
  }
}

function setPath(item: Item, spell: Spell): void {
  const { parent, rel } = item.place;
  const above = parent ? finalItem(parent) : null;
  if (above && above.path.length + rel.length > MAX_DEPTH) {
    detach(item);
    setPath(item, spell);
    return;
  }
  const { spelledBy, there } = item.place;
  const other = otherSide(spelledBy);
  const at = above?.path ?? [];
  item.path = [...at, ...rel.map(spell.common)];
  const own = [...(above?.on[spelledBy] ?? []), ...rel];
  const elsewhere = [...(above?.on[other] ?? []), ...(there ?? spell.on(other, rel, at))];
  item.on = spelledBy === 'local' ? { local: own, remote: elsewhere } : { local: elsewhere, remote: own };
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
  const { rel, spelledBy, there } = item.place;
  item.place = { parent: null, rel: rel.slice(-1), spelledBy, ...(there ? { there: there.slice(-1) } : {}) };
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
    if (group.length < 2 || !first || first.path.length > depth || !isConflict(group)) continue;
    if (first.path.length < depth) found = [];
    depth = first.path.length;
    found.push(group);
  }
  return found;
}

/** Names that are one on one side alone are told apart there (side-names.ts). */
function isConflict(group: readonly Item[]): boolean {
  return pairOf(group) !== null || group.some((item, i) => group.slice(0, i).some((other) => areOne(item, other)));
}

function areOne(a: Item, b: Item): boolean {
  return samePath(a.on.local, b.on.local) && samePath(a.on.remote, b.on.remote);
}

/** One keeps the name; two that neither side could know to be different become one; the others give way. */
function settle(group: readonly Item[], context: TreeMergeContext, flips: boolean): void {
  const kept: Item[] = [];
  for (const item of unite([...group].sort(byRight), context)) {
    const winner = kept.find((other) => areOne(item, other));
    if (!winner) kept.push(item);
    // A source keeps its own name whatever is agreed, and the next one-way run would prefer that to a made-up one.
    else if (flips && (item.tie || context.mode === 'one-way') && item.otherPlace) flip(item);
    else giveWay(item, winner);
  }
}

/** Who has the better right to a name: INBOX, the newer, the one known to both sides, the bytewise smaller GUID. */
export function byRight(a: Item, b: Item): number {
  const known = (item: Item): number => Number(item.local !== undefined && item.remote !== undefined);
  return Number(b.inbox) - Number(a.inbox) || b.time - a.time || known(b) - known(a) || compareBytes(a.guid, b.guid);
}

/** The best mailbox that only one side has and the best that only the other has: both sides made a mailbox of that name. */
function unite(ranked: readonly Item[], context: TreeMergeContext): readonly Item[] {
  const { local, remote } = pairOf(ranked) ?? {};
  if (!local?.local || !remote?.remote) return ranked;
  const guid = mergedGuid(local, remote, context);
  const [stays, goes] = guid === local.guid ? [local, remote] : [remote, local];
  stays.local = local.local;
  stays.remote = remote.remote;
  if (stays.place.parent === goes.place.parent) stays.place = { ...stays.place, there: goes.place.rel };
  stays.time = Math.max(local.time, remote.time);
  stays.rule = 'guid-conflict';
  goes.mergedInto = stays;
  return ranked.filter((item) => item !== goes).sort(byRight);
}

interface Pair {
  readonly local: Item;
  readonly remote: Item;
}

/** The first such two that are one on both sides; else, of those below the same mailbox, that are one on either. */
function pairOf(group: readonly Item[]): Pair | null {
  const pairs = group
    .filter((item) => !item.inbox && item.local && !item.remote)
    .flatMap((local) =>
      group.filter((item) => !item.inbox && item.remote && !item.local).map((remote): Pair => ({ local, remote })),
    );
  const near = ({ local, remote }: Pair): boolean =>
    parentOf(local) === parentOf(remote) &&
    (samePath(local.on.local, remote.on.local) || samePath(local.on.remote, remote.on.remote));
  return pairs.find(({ local, remote }) => areOne(local, remote)) ?? pairs.find(near) ?? null;
}

function parentOf(item: Item): Item | null {
  return item.place.parent && finalItem(item.place.parent);
}

function giveWay(loser: Item, winner: Item): void {
  loser.attempts++;
  const give = (rel: MailboxPath): MailboxPath => {
    const last = rel.at(-1) ?? '';
    const base = loser.attempts === 1 ? last : last.slice(0, last.lastIndexOf('-temp-'));
    return [...rel.slice(0, -1), tempName(base, loser.guid, loser.attempts)];
  };
  const { parent, rel, spelledBy } = loser.place;
  loser.place = { parent, rel: give(rel), spelledBy };
  loser.otherPlace = undefined;
  loser.time = Math.max(loser.time, winner.time);
  loser.rule = 'name-conflict';
}
