/** Mailboxes of one side that take another GUID, in an order in which no two mailboxes ever have the same. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { spareGuid } from './inbox-guid.ts';
import type { Item } from './items.ts';
import { comparePaths } from './names.ts';
import type { Side, TreeOperation } from './tree-plan.ts';

interface Adoption {
  readonly path: MailboxPath;
  from: MailboxGuid;
  readonly to: MailboxGuid;
}

/** The changes of GUIDs on one side; a ring of them takes one more step, over a GUID that nobody has. */
export function orderAdoptions(items: readonly Item[], side: Side): TreeOperation[] {
  let left: Adoption[] = [];
  for (const item of items) {
    const node = item[side];
    if (node && node.mailbox.guid !== item.guid) left.push({ path: node.path, from: node.mailbox.guid, to: item.guid });
  }
  left.sort((a, b) => comparePaths(a.path, b.path));
  const operations: TreeOperation[] = [];
  const adopt = ({ path, from, to }: Adoption): void => {
    operations.push({ op: 'adopt-guid', path, from, to, rule: 'guid-conflict' });
  };
  while (left.length > 0) {
    const inUse = new Set(left.map((adoption) => adoption.from));
    const possible = left.filter((adoption) => !inUse.has(adoption.to));
    possible.forEach(adopt);
    left = left.filter((adoption) => inUse.has(adoption.to));
    const [first] = left;
    if (possible.length > 0 || !first) continue;
    // A ring: one of them waits under a GUID that nobody else has.
    const spare = spareGuid(first.from, 'for a while');
    adopt({ path: first.path, from: first.from, to: spare });
    first.from = spare;
  }
  return operations;
}
