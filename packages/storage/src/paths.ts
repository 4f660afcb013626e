/** Questions about mailbox paths. Names are compared byte for byte, so they differ by case. */
import { createHash } from 'node:crypto';

import type { MailboxPath } from '@dsync/protocol';

/** Only in this spelling: stores refuse the others as names. */
export function isInbox(path: MailboxPath): boolean {
  return path.length === 1 && path[0] === 'INBOX';
}

/** Whether both are one name. */
export function samePath(a: MailboxPath, b: MailboxPath): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

/** At any depth; not `parent` itself. */
export function isBelow(path: MailboxPath, parent: MailboxPath): boolean {
  return path.length > parent.length && parent.every((part, i) => part === path[i]);
}

/** A text by which paths can be kept in maps and sorted; INBOX's is `INBOX`. */
export function pathKey(path: MailboxPath): string {
  return path.join('\0');
}

/** The one part that is the name of a mailbox here whose own name this store can have in no other form. */
export function hashedName(path: MailboxPath): string {
  return `mailbox-${createHash('sha1').update(pathKey(path)).digest('hex')}`;
}
