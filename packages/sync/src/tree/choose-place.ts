/** Which of a mailbox's two places counts: rules 2 and 3 of docs/tree-merge.md. */
import type { MailboxPath } from '@dsync/protocol';

import type { Item, Place } from './items.ts';
import { isHashed, standsFor } from './stand-ins.ts';
import { comparePaths, isTempName, pathKey, samePath, type Spelling } from './names.ts';
import type { MailboxNode, SideTree } from './side-tree.ts';
import type { Side, TreeMergeContext } from './tree-plan.ts';

/** Where a node is on its side, below its nearest ancestor mailbox. */
export type PlaceOn = (side: Side, node: MailboxNode) => Place;

interface Candidate {
  readonly side: Side;
  readonly node: MailboxNode;
  readonly place: Place;
  /** In the spelling that both sides have in common. */
  readonly path: MailboxPath;
}

/** Sets the item's place, the one not chosen, and the time of the chosen one. */
export function choosePlace(
  item: Item,
  sides: Readonly<Record<Side, SideTree>>,
  placeOn: PlaceOn,
  context: TreeMergeContext,
  spelling: Spelling,
): void {
  const found = (['local', 'remote'] as const).flatMap((side): Candidate[] => {
    const node = item[side];
    return node ? [{ side, node, place: placeOn(side, node), path: node.path.map(spelling.common) }] : [];
  });
  const [a, b] = found;
  if (a === undefined) return;
  item.time = Math.max(...found.map(({ node }) => Math.max(node.renamedAt, node.createdAt)));
  item.place = a.place;
  // INBOX stays where it is.
  if (b === undefined || item.inbox) return;
  if (samePlace(a.place, b.place, spelling)) {
    item.place = inBothSpellings(a, b, spelling);
    return;
  }
  const since = { [a.side]: movedAt(a, b, sides, placeOn), [b.side]: movedAt(b, a, sides, placeOn) };
  const at = (candidate: Candidate): number => since[candidate.side] ?? 0;
  const stands = (own: Candidate, other: Candidate, start: number): boolean =>
    renamedAt(own, sides, start) === at(other) && standsFor(own.node.path, other.node.path, context.altChar);
  const beside = besideParent(a, b, spelling, stands) ?? besideParent(b, a, spelling, stands);
  if (beside) {
    item.place = beside;
    return;
  }
  // In a backup the destination alone has its name in place of another.
  const inPlace = (own: Candidate, other: Candidate): boolean =>
    !(context.mode === 'backup' && own.side === context.source) && isInPlace(own, other, at, context);
  const made = (own: Candidate, other: Candidate): number => Number(isMadeUp(own, item) || inPlace(own, other));
  const order =
    context.mode === 'backup'
      ? Number(b.side === context.source) - Number(a.side === context.source)
      : made(a, b) - made(b, a) ||
        at(b) - at(a) ||
        comparePaths(ownPart(a, b, placeOn), ownPart(b, a, placeOn)) ||
        comparePaths([a.place.parent?.guid ?? ''], [b.place.parent?.guid ?? '']);
  const [winner, loser] = order <= 0 ? [a, b] : [b, a];
  item.place = winner.place;
  item.time = at(winner);
  item.rule = context.mode === 'backup' ? 'name-of-source' : 'renamed-there-later';
  if (inPlace(loser, winner)) {
    item.standIn = loser.side;
    return;
  }
  item.otherPlace = loser.place;
  item.tie = context.mode !== 'backup' && at(a) === at(b) && made(a, b) === made(b, a);
}

/** Whether the one's name is there because its side cannot have the other's, and nobody has renamed it since. */
function isInPlace(
  own: Candidate,
  other: Candidate,
  at: (candidate: Candidate) => number,
  { altChar }: TreeMergeContext,
): boolean {
  if (isHashed(own.path)) return !isHashed(other.path);
  return (
    own.place.parent === other.place.parent &&
    at(own) === at(other) &&
    standsFor(own.place.rel, other.place.rel, altChar)
  );
}

/**
 * The place of `own`, if the other one differs only because a mailbox is called there what on this side is a mere directory:
 * `x_y/d` is not below `x.y`, though it is where that has to be `x_y`.
 */
function besideParent(
  own: Candidate,
  other: Candidate,
  { common }: Spelling,
  stands: (own: Candidate, other: Candidate, start: number) => boolean,
): Place | null {
  const [parent, above] = [other.place.parent, own.place.parent];
  const [here, there] = [parent?.[own.side]?.path, parent?.[other.side]?.path];
  const start = above ? above[other.side]?.path.length : 0;
  if (!here || !there || start === undefined || start >= there.length) return null;
  if (!samePath(here.map(common), there.map(common))) return null;
  return samePath(own.path, other.path) || stands(other, own, there.length)
    ? { ...own.place, there: other.node.path.slice(start) }
    : null;
}

/** As the side writes it whose spelling can have been made of the other's no more than that of it; and as the other does. */
function inBothSpellings(a: Candidate, b: Candidate, { legal }: Spelling): Place {
  const madeOfB = samePath(
    a.place.rel,
    b.place.rel.map((part) => legal(part, a.side)),
  );
  const [real, other] = madeOfB ? [b, a] : [a, b];
  return { ...real.place, there: other.place.rel };
}

/** A name from an interrupted run counts less than any that somebody chose. */
function isMadeUp(candidate: Candidate, item: Item): boolean {
  return isTempName(candidate.path.at(-1) ?? '', item.guid);
}

function samePlace(a: Place, b: Place, spelling: Spelling): boolean {
  return a.parent === b.parent && samePath(a.rel.map(spelling.common), b.rel.map(spelling.common));
}

/**
 * When the side gave the mailbox this place: the last rename of a node on the path, from the part where the sides begin
 * to differ. Whatever is above the nearest ancestor mailbox that they have in common moves both places alike.
 */
function movedAt(here: Candidate, there: Candidate, sides: Readonly<Record<Side, SideTree>>, placeOn: PlaceOn): number {
  const [own, other] = [ownPart(here, there, placeOn), ownPart(there, here, placeOn)];
  let start = here.path.length - own.length;
  for (let i = 0; i < own.length - 1 && own[i] === other[i]; i++) start++;
  return renamedAt(here, sides, start);
}

/** The last rename of a node on the path, below the first `start` parts. */
function renamedAt({ side, node }: Candidate, sides: Readonly<Record<Side, SideTree>>, start: number): number {
  let time = 0;
  for (let depth = start + 1; depth <= node.path.length; depth++)
    time = Math.max(time, sides[side].byKey.get(pathKey(node.path.slice(0, depth)))?.renamedAt ?? 0);
  return time;
}

/** The path below the nearest ancestor mailbox that both sides have above the mailbox. */
function ownPart(here: Candidate, there: Candidate, placeOn: PlaceOn): MailboxPath {
  const above = new Set(ancestors(there, placeOn));
  const common = ancestors(here, placeOn).find((item) => above.has(item));
  return here.path.slice(common?.[here.side]?.path.length ?? 0);
}

/** The ancestor mailboxes on the candidate's side, nearest first. */
function ancestors(candidate: Candidate, placeOn: PlaceOn): Item[] {
  const found: Item[] = [];
  let { parent } = candidate.place;
  while (parent) {
    found.push(parent);
    const node = parent[candidate.side];
    parent = node ? placeOn(candidate.side, node).parent : null;
  }
  return found;
}
