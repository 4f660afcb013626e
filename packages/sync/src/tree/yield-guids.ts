/** GUID conflicts with a peer that always takes the other side's GUID: this side gives in before the peer can see them. */
import type { TreeSnapshot } from '@dsync/storage';

import { planTree } from './plan-tree.ts';
import { isMailboxNode } from './side-tree.ts';
import type { TreeMergeContext, TreeOperation } from './tree-plan.ts';

type Adoption = TreeOperation & { readonly op: 'adopt-guid' };

/**
 * What makes every conflict of GUIDs end with the peer's one, on the local side alone. In one-way modes the source's
 * GUIDs hold anyhow, so there is nothing to give.
 */
export function yieldedGuids(local: TreeSnapshot, remote: TreeSnapshot, context: TreeMergeContext): Adoption[] {
  if (context.mode !== 'two-way') return [];
  const own = new Set(local.nodes.filter(isMailboxNode).map(({ mailbox }) => mailbox.guid));
  const theirs = new Set(remote.nodes.filter(isMailboxNode).map(({ mailbox }) => mailbox.guid));
  const merge = planTree(local, remote, context);
  const wanted = [
    ...merge.local.filter(isAdoption),
    ...merge.remote.filter(isAdoption).map((operation) => ({ ...operation, from: operation.to, to: operation.from })),
  ];
  // A GUID that both sides have under different names is part of a rename, which the merge itself settles.
  return wanted.filter(({ from, to }) => own.has(from) && theirs.has(to) && !own.has(to));
}

function isAdoption(operation: TreeOperation): operation is Adoption {
  return operation.op === 'adopt-guid';
}
