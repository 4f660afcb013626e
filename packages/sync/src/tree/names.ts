/** Mailbox names as both sides can compare them, and the names of mailboxes that have to give way. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';
import { compareBytes } from '@dsync/protocol';

import type { Side } from './tree-plan.ts';

/** Longest name part that we make up, in bytes; a part that was longer before keeps its length. */
const MADE_UP_BYTES = 100;

/** A path as a map key: no part contains NUL. */
export function pathKey(path: MailboxPath): string {
  return path.join('\0');
}

/** Tree order: depth first, siblings bytewise. */
export function comparePaths(a: MailboxPath, b: MailboxPath): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const order = compareBytes(a[i] ?? '', b[i] ?? '');
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Byte for byte. */
export function samePath(a: MailboxPath, b: MailboxPath): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

/** Stores and the wire write INBOX in capitals alone. */
export function isInbox(path: MailboxPath): boolean {
  return path.length === 1 && path[0] === 'INBOX';
}

/** How one side writes parts that the other side made, and how both are compared (docs/tree-merge.md). */
export interface Spelling {
  /** Whether names of both sides are always spelled alike. */
  readonly same: boolean;
  /** The form that both sides' spellings of one name have in common. */
  readonly common: (part: string) => string;
  /** The part as the side can write it. */
  readonly legal: (part: string, side: Side) => string;
}

/** @param escapeChar of a remote side that cannot have names with it and two digits; absent: neither side is so */
export function spellingOf(separators: Readonly<Record<Side, string>>, altChar: string, escapeChar?: string): Spelling {
  const plain = escapeChar === undefined ? (part: string): string => part : withoutCodes(escapeChar, altChar);
  const legal = (part: string, side: Side): string => {
    const text = side === 'remote' ? plain(part) : part;
    return text.includes(separators[side]) ? text.split(separators[side]).join(altChar) : text;
  };
  if (separators.local === separators.remote && escapeChar === undefined)
    return { same: true, legal, common: (part) => part };
  return { same: false, legal, common: (part) => legal(legal(part, 'remote'), 'local') };
}

/** Makes a part without codes: the escape character before two lower-case hexadecimal digits becomes another one. */
export function withoutCodes(escapeChar: string, altChar: string): (part: string) => string {
  const code = new RegExp(`${escapeChar.replace(/[^\w\s]/, '\\$&')}(?=[0-9a-f]{2})`, 'g');
  return (part) => (part.includes(escapeChar) ? part.replace(code, altChar) : part);
}

/**
 * `<part>-temp-<guid>`, cut so that it is no longer than the part was or 100 bytes; `attempt` above 1 is appended.
 * The GUID makes it unique and the same on both sides.
 */
export function tempName(part: string, guid: MailboxGuid, attempt = 1): string {
  const suffix = `-temp-${guid}${attempt > 1 ? `-${attempt}` : ''}`;
  const room = Math.max(MADE_UP_BYTES, Buffer.byteLength(part)) - suffix.length;
  let base = '';
  let bytes = 0;
  for (const char of part) {
    bytes += Buffer.byteLength(char);
    if (bytes > room) break;
    base += char;
  }
  return base + suffix;
}

/** Whether a name was made by `tempName` for this mailbox: a name that nobody chose. */
export function isTempName(part: string, guid: MailboxGuid): boolean {
  return part.includes(`-temp-${guid}`);
}
