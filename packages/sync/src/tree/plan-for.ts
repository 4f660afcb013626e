/** The merge of two trees where the other side was told a part of ours. */
import type { TreeSnapshot } from '@dsync/storage';

import { planTree } from './plan-tree.ts';
import type { TreeMerge, TreeMergeContext } from './tree-plan.ts';

/**
 * What this side does follows from all that it has; what the other side does, from what it was told. A mailbox that it
 * deletes because it was not told of it is not one that both have.
 */
export function planFor(
  local: TreeSnapshot,
  told: TreeSnapshot,
  remote: TreeSnapshot,
  context: TreeMergeContext,
): TreeMerge {
  const merge = planTree(local, remote, context);
  if (told === local) return merge;
  const theirs = planTree(told, remote, context).remote;
  const gone = new Set(theirs.flatMap((operation) => (operation.op === 'delete' ? [operation.guid] : [])));
  return { ...merge, remote: theirs, mailboxes: merge.mailboxes.filter(({ guid }) => !gone.has(guid)) };
}
