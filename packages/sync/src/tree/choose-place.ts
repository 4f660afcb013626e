/** Which of a mailbox's two places counts: rules 2 and 3 of docs/tree-merge.md. */
import type { MailboxPath } from '@dsync/protocol';

import type { Item, Place } from './items.ts';
import { comparePaths, isTempName, pathKey, samePath, type Spelling } from './names.ts';
import type { MailboxNode, Side, SideTree } from './side-tree.ts';
import type { TreeMergeContext } from './tree-plan.ts';

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
  if (b === undefined || item.inbox || samePlace(a.place, b.place, spelling)) return;
  const since = { [a.side]: movedAt(a, b, sides, placeOn), [b.side]: movedAt(b, a, sides, placeOn) };
  const order =
    context.mode === 'backup'
      ? Number(b.side === context.source) - Number(a.side === context.source)
      : Number(isMadeUp(a, item)) - Number(isMadeUp(b, item)) ||
        (since[b.side] ?? 0) - (since[a.side] ?? 0) ||
        comparePaths(ownPart(a, b, placeOn), ownPart(b, a, placeOn)) ||
        comparePaths([a.place.parent?.guid ?? ''], [b.place.parent?.guid ?? '']);
  const [winner, loser] = order <= 0 ? [a, b] : [b, a];
  item.place = winner.place;
  item.otherPlace = loser.place;
  item.time = since[winner.side] ?? 0;
  item.tie = context.mode !== 'backup' && since[a.side] === since[b.side] && isMadeUp(a, item) === isMadeUp(b, item);
  item.rule = context.mode === 'backup' ? 'name-of-source' : 'renamed-there-later';
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
  let time = 0;
  for (let depth = start + 1; depth <= here.path.length; depth++) {
    const node = sides[here.side].byKey.get(pathKey(here.node.path.slice(0, depth)));
    time = Math.max(time, node?.renamedAt ?? 0);
  }
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
