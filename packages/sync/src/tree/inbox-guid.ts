/** The GUID of an INBOX that the two sides made independently. */
import { createHash } from 'node:crypto';

import type { MailboxGuid } from '@dsync/protocol';
import { compareBytes, mailboxGuid } from '@dsync/protocol';

import type { Item } from './items.ts';
import type { TreeMergeContext } from './tree-plan.ts';

/**
 * The source's in one-way modes, else the bytewise larger. A GUID that another mailbox has on the other side (INBOX was
 * renamed there, and a new one made) is not taken, so that this other mailbox keeps it.
 */
export function inboxGuid(inbox: Item, items: readonly Item[], context: TreeMergeContext): MailboxGuid {
  const local = inbox.local?.mailbox.guid;
  const remote = inbox.remote?.mailbox.guid;
  if (local === remote) return inbox.guid;
  if (context.mode !== 'two-way') {
    const ofSource = inbox[context.source]?.mailbox.guid;
    if (ofSource !== undefined) return ofSource;
  }
  const taken = new Set(items.filter((item) => !item.inbox).map((item) => item.guid));
  const own = [local, remote].filter((guid) => guid !== undefined).sort((a, b) => compareBytes(b, a));
  return own.find((guid) => !taken.has(guid)) ?? spareGuid(own.join(' '), 'INBOX');
}

/** A GUID that both sides make alike and nobody else has. */
export function spareGuid(from: string, purpose: string): MailboxGuid {
  return mailboxGuid(createHash('sha1').update(`${from} ${purpose}`).digest('hex').slice(0, 32));
}

/** The GUID of two mailboxes, each on one side only, that become one because they have the same name. */
export function mergedGuid(a: Item, b: Item, context: TreeMergeContext): MailboxGuid {
  if (context.mode !== 'two-way') return a[context.source] ? a.guid : b.guid;
  return compareBytes(a.guid, b.guid) > 0 ? a.guid : b.guid;
}
