/**
 * Where every mailbox ends: the two trees as one, by the mailboxes' GUIDs.
 *
 * A mailbox's place on a side is its nearest ancestor mailbox there and the path below that. So a mailbox follows its
 * parent wherever that goes, and only mailboxes that were moved themselves have two places to choose from. Choosing a
 * place for each mailbox settles all renames, swaps and moves at once; what is left are crossing moves (a cycle) and
 * names that two mailboxes want, both settled without asking which side is which.
 */
import type { MailboxGuid } from '@dsync/protocol';
import { compareBytes } from '@dsync/protocol';

import { choosePlace, type PlaceOn } from './choose-place.ts';
import { inboxGuid, spareGuid } from './inbox-guid.ts';
import { finalItem, type Item, type Place } from './items.ts';
import { comparePaths, pathKey, samePath, type Spelling } from './names.ts';
import { resolveNames } from './resolve-names.ts';
import type { Spell } from './side-names.ts';
import { otherSide, type MailboxNode, type SideTree } from './side-tree.ts';
import type { Side, TreeMergeContext, TreeRule } from './tree-plan.ts';

/** A mailbox that a side has to delete. `at`: Unix seconds of the deletion, 0: unknown. */
export interface Deletion {
  readonly node: MailboxNode;
  readonly at: number;
  readonly rule: TreeRule;
}

/** Every mailbox at its final place, and those that go. */
export interface MergedMailboxes {
  readonly items: readonly Item[];
  readonly deletions: Readonly<Record<Side, readonly Deletion[]>>;
  /** The mailbox at a side's present path, if it is not deleted. */
  readonly itemAt: Readonly<Record<Side, ReadonlyMap<string, Item>>>;
}

/** Settles deletions, places and names, rules 1 to 5 of docs/tree-merge.md. */
export function mergeMailboxes(
  local: SideTree,
  remote: SideTree,
  context: TreeMergeContext,
  { spelling, spell }: { readonly spelling: Spelling; readonly spell: Spell },
): MergedMailboxes {
  const sides = { local, remote };
  const deletions: Record<Side, Deletion[]> = {
    local: recordedDeletions(remote, local, context),
    remote: recordedDeletions(local, remote, context),
  };
  const gone = new Set([...deletions.local, ...deletions.remote].map((d) => d.node));
  const all = pairUp(sides, gone);
  const extra =
    context.mode === 'backup' ? all.filter((item) => item[context.source] === undefined && !item.inbox) : [];
  const unknown = new Set(extra);
  const items = all.filter((item) => !unknown.has(item));
  const itemAt = { local: indexByPath(items, 'local'), remote: indexByPath(items, 'remote') };
  const places: PlaceOn = (side, node) => placeOf(side, node, itemAt[side]);
  for (const item of items) choosePlace(item, sides, places, context, spelling);
  settleInboxGuid(items, context);
  let final = resolveNames(items, context, spell);
  if (extra.length > 0) {
    const taken = adoptOrDelete(extra, final, places, context, spell);
    deletions[otherSide(context.source)].push(...taken.deletions);
    for (const [item, node] of taken.adopted) itemAt[otherSide(context.source)].set(pathKey(node.path), item);
  }
  final = [...final].sort((a, b) => comparePaths(a.path, b.path));
  return { items: final, deletions: withoutSource(deletions, context), itemAt };
}

/** Mailboxes of `of` that `by` remembers to have deleted. A deletion wins over anything the other side did, at any time. */
function recordedDeletions(by: SideTree, of: SideTree, context: TreeMergeContext): Deletion[] {
  if (context.mode === 'backup' && by.side !== context.source) return [];
  const found: Deletion[] = [];
  for (const [guid, node] of of.mailboxes) {
    const at = by.deletedMailboxes.get(guid);
    if (at === undefined || by.mailboxes.has(guid) || by.inbox?.mailbox.guid === guid) continue;
    found.push({ node, at, rule: 'deleted-there' });
  }
  return found;
}

function withoutSource(deletions: Record<Side, Deletion[]>, context: TreeMergeContext): Record<Side, Deletion[]> {
  return context.mode === 'two-way' ? deletions : { ...deletions, [context.source]: [] };
}

/** One item for each mailbox; INBOX is one whatever its GUIDs. Nothing depends on the order in which the sides list them. */
function pairUp(sides: Readonly<Record<Side, SideTree>>, gone: ReadonlySet<MailboxNode>): Item[] {
  const items = new Map<MailboxGuid, Item>();
  const result: Item[] = [];
  for (const side of ['local', 'remote'] as const) {
    for (const [guid, node] of sides[side].mailboxes) {
      if (gone.has(node)) continue;
      const known = items.get(guid);
      if (known) known[side] = node;
      else items.set(guid, newItem(guid, false, side, node));
    }
  }
  result.push(...items.values());
  const { local, remote } = { local: sides.local.inbox, remote: sides.remote.inbox };
  const node = local ?? remote;
  if (node) {
    const inbox = newItem(node.mailbox.guid, true, local ? 'local' : 'remote', node);
    if (local && remote) inbox.remote = remote;
    result.push(inbox);
  }
  return result.sort((a, b) => compareBytes(a.guid, b.guid));
}

function newItem(guid: MailboxGuid, inbox: boolean, side: Side, node: MailboxNode): Item {
  const place: Place = { parent: null, rel: node.path, spelledBy: side };
  return {
    ...{ inbox, guid, [side]: node, place, time: 0, tie: false, rule: 'missing-here', attempts: 0 },
    ...{ path: [], on: { local: [], remote: [] } },
  };
}

function indexByPath(items: readonly Item[], side: Side): Map<string, Item> {
  const index = new Map<string, Item>();
  for (const item of items) {
    const node = item[side];
    if (node) index.set(pathKey(node.path), item);
  }
  return index;
}

function placeOf(side: Side, node: MailboxNode, itemAt: ReadonlyMap<string, Item>): Place {
  for (let depth = node.path.length - 1; depth > 0; depth--) {
    const parent = itemAt.get(pathKey(node.path.slice(0, depth)));
    if (parent) return { parent, rel: node.path.slice(depth), spelledBy: side };
  }
  return { parent: null, rel: node.path, spelledBy: side };
}

/** Two INBOXes become one; no other mailbox may have the GUID that it gets. */
function settleInboxGuid(items: readonly Item[], context: TreeMergeContext): void {
  const inbox = items.find((item) => item.inbox);
  if (!inbox) return;
  inbox.guid = inboxGuid(inbox, items, context);
  for (const item of items) if (!item.inbox && item.guid === inbox.guid) item.guid = spareGuid(item.guid, 'not INBOX');
}

interface Extra {
  readonly deletions: readonly Deletion[];
  readonly adopted: readonly (readonly [Item, MailboxNode])[];
}

/**
 * Backup: what only the destination has is deleted, except where the source has a mailbox of that very name which the
 * destination lacks: there the destination's mailbox takes the source's GUID, and the mail stage makes the rest equal.
 */
function adoptOrDelete(
  extra: readonly Item[],
  items: readonly Item[],
  places: PlaceOn,
  context: TreeMergeContext,
  { common }: Spell,
): Extra {
  const destination = otherSide(context.source);
  const lacking = items.filter((item) => item[destination] === undefined);
  const missing = new Map(lacking.map((item) => [pathKey(item.path), item]));
  // Of several that are one at the destination, the one that is called so.
  for (const item of lacking)
    if (samePath(item.on[destination], item.on[context.source])) missing.set(pathKey(item.path), item);
  const deletions: Deletion[] = [];
  const adopted: [Item, MailboxNode][] = [];
  for (const item of extra) {
    const node = item[destination];
    if (!node) continue;
    const place = places(destination, node);
    const below = place.parent ? finalItem(place.parent).path : [];
    const key = pathKey([...below, ...place.rel.map(common)]);
    const wanted = missing.get(key);
    if (wanted) {
      missing.delete(key);
      wanted[destination] = node;
      adopted.push([wanted, node]);
    } else deletions.push({ node, at: 0, rule: 'not-in-source' });
  }
  return { deletions, adopted };
}
