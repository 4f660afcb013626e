/** What the merge of two trees works on: one item for each mailbox, whichever side it is on. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import type { MailboxNode } from './side-tree.ts';
import type { Side, TreeMergeContext, TreeRule } from './tree-plan.ts';

/** Where a mailbox is: below its nearest ancestor mailbox, or with `parent` null below the root. */
export interface Place {
  readonly parent: Item | null;
  /** At least one part, as `spelledBy` writes them. */
  readonly rel: MailboxPath;
  readonly spelledBy: Side;
  /** The same as the other side writes it, where that has it already. */
  readonly there?: MailboxPath;
}

/** A mailbox that exists on at least one side and is not deleted by this merge. */
export interface Item {
  readonly inbox: boolean;
  /** The GUID that both sides use in the end. */
  guid: MailboxGuid;
  local?: MailboxNode;
  remote?: MailboxNode;
  place: Place;
  /** The place that was not chosen, if the sides differ. */
  otherPlace?: Place | undefined;
  /** Unix seconds of the rename or creation that led to the place; 0: unknown. */
  time: number;
  /** Neither place was known to be newer. */
  tie: boolean;
  rule: TreeRule;
  /** How often it had to give way to another mailbox. */
  attempts: number;
  /** Final path in the spelling that both sides have in common. */
  path: MailboxPath;
  /** Final path in each side's spelling, before names that are one there alone are told apart (side-names.ts). */
  on: Readonly<Record<Side, MailboxPath>>;
  /** This side's present name is in place of the final one, which that side cannot have. */
  standIn?: Side;
  /** The item that this one became one with (same name, GUID conflict). */
  mergedInto?: Item;
}

/** The item that an item ended in. */
export function finalItem(item: Item): Item {
  let found = item;
  while (found.mergedInto) found = found.mergedInto;
  return found;
}

/** Whether this side's own tree is left as it is. */
export function isUntouched(side: Side, context: TreeMergeContext): boolean {
  return context.mode !== 'two-way' && side === context.source;
}
