/** GUIDs and UIDVALIDITYs about which a Dovecot and this side differ: this side gives in before the Dovecot can see it. */
import type { MailboxGuid } from '@dsync/protocol';
import type { TreeSnapshot } from '@dsync/storage';

import { planTree } from './plan-tree.ts';
import { isMailboxNode } from './side-tree.ts';
import { pathKey } from './names.ts';
import type { TreeMergeContext, TreeOperation } from './tree-plan.ts';

/** A mailbox of this side and what it takes from its counterpart. */
export interface Yielding {
  readonly from: MailboxGuid;
  readonly guid: MailboxGuid;
  readonly uidValidity: number;
}

/**
 * What to change here so that the Dovecot has nothing to change. It is the source of its own numbers even in a reverse
 * backup: by message counts it may take another UIDVALIDITY than the one it has, and
 * with a Maildir it then drops its index with errors in the log. Nothing is yielded by the source of a one-way run.
 */
export function yieldedNumbers(local: TreeSnapshot, remote: TreeSnapshot, context: TreeMergeContext): Yielding[] {
  const twoWay = context.mode === 'two-way';
  if (!twoWay && context.source === 'local') return [];
  const own = new Set(local.nodes.filter(isMailboxNode).map(({ mailbox }) => mailbox.guid));
  const yielded: Yielding[] = [];
  for (const { local: ours, remote: theirs } of planTree(local, remote, context).mailboxes) {
    if (ours === undefined || theirs === undefined) continue;
    // A GUID that is in use here is part of a rename, which the merge itself settles.
    const guid = own.has(theirs.guid) ? ours.guid : theirs.guid;
    // Who never had a mail has no client that remembers UIDs, and takes the other's UIDVALIDITY without trouble.
    const keep = theirs.uidValidity === 0 || (twoWay && theirs.uidNext <= 1);
    const uidValidity = keep ? ours.uidValidity : theirs.uidValidity;
    if (guid !== ours.guid || uidValidity !== ours.uidValidity) yielded.push({ from: ours.guid, guid, uidValidity });
  }
  return yielded;
}

/**
 * Mailboxes that the Dovecot has deleted and made anew under the same name. It believes its own deletion only if it does
 * not see the old mailbox here any more; else the two mailboxes of one name become one, with the old mails.
 */
export function deletionsToSettle(
  local: TreeSnapshot,
  remote: TreeSnapshot,
  context: TreeMergeContext,
): readonly TreeOperation[] {
  const theirs = new Set(remote.nodes.filter(isMailboxNode).map(({ path }) => pathKey(path)));
  return planTree(local, remote, context).local.filter(
    (operation) =>
      operation.op === 'delete' && operation.rule === 'deleted-there' && theirs.has(pathKey(operation.path)),
  );
}

/**
 * Mailboxes that were deleted and made anew here under a name that the Dovecot's still have: in a two-way run it does not
 * believe such a deletion, so that the two of one name become one, with the larger GUID. Where that is the Dovecot's, the
 * deletion must not count here either, or they never meet.
 */
export function withoutRemade(local: TreeSnapshot, remote: TreeSnapshot, context: TreeMergeContext): TreeSnapshot {
  if (context.mode !== 'two-way') return local;
  const own = new Map(local.nodes.filter(isMailboxNode).map(({ path, mailbox }) => [pathKey(path), mailbox.guid]));
  const remade = new Set<MailboxGuid>();
  for (const { path, mailbox } of remote.nodes.filter(isMailboxNode)) {
    const anew = own.get(pathKey(path));
    if (anew !== undefined && anew < mailbox.guid) remade.add(mailbox.guid);
  }
  const mailboxes = local.deletions.mailboxes.filter(({ guid }) => !remade.has(guid));
  return { ...local, deletions: { ...local.deletions, mailboxes } };
}
