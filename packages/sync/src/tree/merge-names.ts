/** Every mailbox at its final place, with the name that each side has for it. */
import type { MailboxPath } from '@dsync/protocol';

import type { Item } from './items.ts';
import { mergeMailboxes, type MergedMailboxes } from './merge-mailboxes.ts';
import { spellingOf, type Spelling } from './names.ts';
import { namesOn, spellFor, type Spell } from './side-names.ts';
import type { SideTree } from './side-tree.ts';
import type { Side, TreeMergeContext } from './tree-plan.ts';

/** By side. */
export type NamesOfMailboxes = Readonly<Record<Side, ReadonlyMap<Item, MailboxPath>>>;

export interface MergedNames {
  readonly spelling: Spelling;
  readonly spell: Spell;
  readonly mailboxes: MergedMailboxes;
  /** Final paths; a mailbox that a side neither has nor gets is left out of its own. */
  readonly paths: NamesOfMailboxes;
}

/** Settles places and names; which side is the local one makes no difference but for what its store can have. */
export function mergeNames(sides: Readonly<Record<Side, SideTree>>, context: TreeMergeContext): MergedNames {
  const separators = { local: sides.local.separator, remote: sides.remote.separator };
  const spelling = spellingOf(separators, context.altChar, context.escapeChar);
  const spell = spellFor(sides, spelling);
  const mailboxes = mergeMailboxes(sides.local, sides.remote, context, { spelling, spell });
  const { items } = mailboxes;
  return {
    spelling,
    spell,
    mailboxes,
    paths: { local: namesOn('local', items, context), remote: namesOn('remote', items, context) },
  };
}
