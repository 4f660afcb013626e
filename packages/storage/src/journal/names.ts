import type { MailboxPath } from '@dsync/protocol';

import type { JournalName } from './journal.ts';

/** A name of which nothing is remembered. */
export function blankName(path: MailboxPath): JournalName {
  return { path, renamedAt: 0, createdAt: 0, subscribed: false, subscriptionChangedAt: 0, removedAt: 0 };
}

/** Whether nothing is remembered of a name: then a journal needs no entry for it. */
export function isBlankName(name: JournalName): boolean {
  return (
    name.renamedAt === 0 &&
    name.createdAt === 0 &&
    !name.subscribed &&
    name.subscriptionChangedAt === 0 &&
    name.removedAt === 0
  );
}
