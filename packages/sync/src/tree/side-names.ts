/** What each side calls the mailboxes in the end: its own spelling, and no name twice (docs/tree-merge.md). */
import type { MailboxPath } from '@dsync/protocol';

import { finalItem, isUntouched, type Item } from './items.ts';
import { comparePaths, pathKey, samePath, tempName, type Spelling } from './names.ts';
import { byRight } from './resolve-names.ts';
import { isMailboxNode, type SideTree } from './side-tree.ts';
import { standsFor } from './stand-ins.ts';
import type { Side, TreeMergeContext } from './tree-plan.ts';

/** How a side writes what the other one made, and the form that both have in common. `above` is in that form. */
export interface Spell {
  readonly common: (part: string) => string;
  /** A new name `rel` below `above`: directories that the side has already keep their spelling there. */
  readonly on: (side: Side, rel: MailboxPath, above: MailboxPath) => MailboxPath;
  /** A name that the side has already in some spelling. */
  readonly known: (side: Side, rel: MailboxPath, above: MailboxPath) => MailboxPath;
}

/** From the names that both sides have. */
export function spellFor(sides: Readonly<Record<Side, SideTree>>, { same, common, legal }: Spelling): Spell {
  if (same) return { common, on: (_side, rel) => rel, known: (_side, rel) => rel };
  const parts = { local: spelledParts(sides.local, common), remote: spelledParts(sides.remote, common) };
  const spelled = (side: Side, part: string, key: string, alsoMailboxes: boolean): string => {
    const own = legal(part, side);
    const known = parts[side].get(key) ?? new Map<string, boolean>();
    const found = [...known].find(([, isMailbox]) => alsoMailboxes || !isMailbox);
    return known.has(own) ? own : (found?.[0] ?? own);
  };
  const keyAt = (above: MailboxPath, rel: MailboxPath, i: number): string =>
    pathKey([...above, ...rel.slice(0, i + 1).map(common)]);
  return {
    common,
    on: (side, rel, above) =>
      rel.map((part, i) => {
        return i < rel.length - 1 ? spelled(side, part, keyAt(above, rel, i), false) : legal(part, side);
      }),
    known: (side, rel, above) => rel.map((part, i) => spelled(side, part, keyAt(above, rel, i), true)),
  };
}

/** By each of the side's names in common spelling: how it spells the last part, and whether that is a mailbox. */
function spelledParts(tree: SideTree, common: (part: string) => string): Map<string, Map<string, boolean>> {
  const parts = new Map<string, Map<string, boolean>>();
  for (const { path } of [...tree.nodes].sort((a, b) => comparePaths(a.path, b.path))) {
    for (let depth = 1; depth <= path.length; depth++) {
      const name = path.slice(0, depth);
      const node = tree.byKey.get(pathKey(name));
      const key = pathKey(name.map(common));
      const known = parts.get(key) ?? new Map<string, boolean>();
      parts.set(key, known.set(path[depth - 1] ?? '', node !== undefined && isMailboxNode(node)));
    }
  }
  return parts;
}

/** Final paths as the side writes them. A mailbox that a side neither has nor gets is left out. */
export function namesOn(side: Side, items: readonly Item[], context: TreeMergeContext): Map<Item, MailboxPath> {
  return isUntouched(side, context) ? presentNames(side, items) : finalNames(side, items, context);
}

function presentNames(side: Side, items: readonly Item[]): Map<Item, MailboxPath> {
  return new Map(
    items.flatMap((item) => {
      const node = item[side];
      return node ? [[item, node.path]] : [];
    }),
  );
}

/** Level by level, so that parents are named before their children. Of several that want a name one gets it. */
function finalNames(side: Side, items: readonly Item[], context: TreeMergeContext): Map<Item, MailboxPath> {
  const names = new Map<Item, MailboxPath>();
  const taken = new Set<string>();
  const directories = directoriesOn(side, items, context);
  for (const level of levels(items)) {
    const wanted = level.map((item) => {
      const path = wantedName(side, item, names, context);
      return { item, path, right: rightTo(path, side, item) };
    });
    // Who has it already needs no comparison: no two of these are called alike.
    wanted.sort((a, b) => a.right - b.right || (a.right === PRESENT ? 0 : byRight(a.item, b.item)));
    for (const { item, path, right } of wanted) {
      // A name that is only in place of another one would be above mailboxes that are not below this one elsewhere.
      const isTaken = (name: MailboxPath): boolean =>
        taken.has(pathKey(name)) || (right === IN_PLACE && directories.has(pathKey(name)));
      const name = freeName(side, item, path, isTaken, context);
      taken.add(pathKey(name));
      names.set(item, name);
    }
  }
  return names;
}

const PRESENT = 0;
const ITS_OWN = 1;
const IN_PLACE = 2;

/** Smaller: better. */
function rightTo(path: MailboxPath, side: Side, { place, [side]: node }: Item): number {
  if (node && samePath(node.path, path)) return PRESENT;
  return samePath(path.slice(-place.rel.length), place.rel) ? ITS_OWN : IN_PLACE;
}

/** Names that are there only because mailboxes are below them. */
function directoriesOn(side: Side, items: readonly Item[], context: TreeMergeContext): ReadonlySet<string> {
  const found = new Set<string>();
  for (const item of items) {
    const { parent } = item.place;
    const path = nameOn(side, item, item.on[side], context);
    const above = parent ? finalItem(parent).on[side].length : 0;
    for (let depth = above + 1; depth < path.length; depth++) found.add(pathKey(path.slice(0, depth)));
  }
  return found;
}

function levels(items: readonly Item[]): Item[][] {
  const found: Item[][] = [];
  for (const item of items) (found[item.path.length] ??= []).push(item);
  return found.filter((level) => level !== undefined);
}

/** A name that the side has already stays as it is there, also if it is there in place of one that it cannot have. */
function wantedName(
  side: Side,
  item: Item,
  names: ReadonlyMap<Item, MailboxPath>,
  context: TreeMergeContext,
): MailboxPath {
  const parent = item.place.parent && finalItem(item.place.parent);
  const own = item.on[side];
  const above = parent && names.get(parent);
  const path = above ? [...above, ...own.slice(parent.on[side].length)] : own;
  return nameOn(side, item, path, context);
}

function nameOn(side: Side, item: Item, path: MailboxPath, context: TreeMergeContext): MailboxPath {
  const present = item[side]?.path;
  if (present === undefined) return legalOn(side, path, context);
  if (samePath(present, path) || (item.standIn === side && standsFor(present, path, context.altChar))) return present;
  return legalOn(side, path, context);
}

function freeName(
  side: Side,
  item: Item,
  path: MailboxPath,
  isTaken: (name: MailboxPath) => boolean,
  context: TreeMergeContext,
): MailboxPath {
  let name = path;
  for (let attempt = 1; isTaken(name); attempt++)
    name = legalOn(side, [...path.slice(0, -1), tempName(path.at(-1) ?? '', item.guid, attempt)], context);
  return name;
}

/** The nearest name that the side can have; what the remote one cannot have it tells nobody. */
export function legalOn(side: Side, path: MailboxPath, { legalHere }: TreeMergeContext): MailboxPath {
  return side === 'local' && legalHere ? legalHere(path) : path;
}
