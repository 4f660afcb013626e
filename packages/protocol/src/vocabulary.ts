/**
 * The field's own words as types: GUIDs, UIDs, modseqs, flags, mailbox paths. A branded value can only be made by
 * the function beside it, which checks; so a value of the type has been checked wherever it came from.
 */
import { createHash } from 'node:crypto';

import { ProtocolError } from './errors.ts';

/** Identity of a mailbox: 16 bytes, written as 32 lower-case hex digits. All zeros is not a mailbox. */
export type MailboxGuid = string & { readonly __brand: 'MailboxGuid' };

/** Identity of a mail: free text without blanks or control characters, chosen by the store that first kept it. */
export type MailGuid = string & { readonly __brand: 'MailGuid' };

/** A message's number in its mailbox: 1 … 0xfffffffe, ascending, never reused under one UIDVALIDITY (RFC 9051 §2.3.1.1). */
export type Uid = number & { readonly __brand: 'Uid' };

/** Modification sequence of RFC 7162: unsigned, 63 bits; 0 means "not known". */
export type Modseq = bigint;

/** A mailbox's visible name, split at the hierarchy separator: UTF-8 parts, at least one, none empty. */
export type MailboxPath = readonly string[];

/** System flags as the bits that Dovecot's indexes and dsync use. `\Recent` is not a flag that travels. */
export const FLAG = {
  answered: 0x01,
  flagged: 0x02,
  deleted: 0x04,
  seen: 0x08,
  draft: 0x10,
} as const;

/** All system flags together. */
export const ALL_FLAGS = 0x1f;

/** Largest UID a mail can have; UIDNEXT can be one more. */
export const MAX_UID = 0xfffffffe;

const MAILBOX_GUID = /^[0-9a-f]{32}$/;
const NO_MAILBOX = '0'.repeat(32);
// Blanks would break an uidlist record, control characters a protocol line; 8-bit text is legal.
// oxlint-disable-next-line no-control-regex -- they are refused
const NOT_OF_A_MAIL_GUID = /[\u0000-\u0020\u007f]/;
const MAX_MAIL_GUID = 1024;

/** @throws {ProtocolError} `BadValue` unless `text` is 32 lower-case hex digits, not all zero */
export function mailboxGuid(text: string): MailboxGuid {
  if (!isMailboxGuid(text))
    throw new ProtocolError('BadValue', `not a mailbox GUID: ${JSON.stringify(text.slice(0, 80))}`);
  return text;
}

/** Whether `mailboxGuid` takes it. */
export function isMailboxGuid(text: string): text is MailboxGuid {
  return MAILBOX_GUID.test(text) && text !== NO_MAILBOX;
}

/** @throws {ProtocolError} `BadValue` if the text is empty, over 1,024 characters, or has blanks or control characters */
export function mailGuid(text: string): MailGuid {
  if (!isMailGuid(text)) throw new ProtocolError('BadValue', `not a mail GUID: ${JSON.stringify(text.slice(0, 80))}`);
  return text;
}

/** Whether `mailGuid` takes it. */
export function isMailGuid(text: string): text is MailGuid {
  return text !== '' && text.length <= MAX_MAIL_GUID && !NOT_OF_A_MAIL_GUID.test(text);
}

/** @throws {ProtocolError} `BadValue` outside 1 … 0xfffffffe */
export function uid(value: number): Uid {
  if (!isUid(value)) throw new ProtocolError('BadValue', `not a UID: ${value}`);
  return value;
}

/** Whether `uid` takes it. */
export function isUid(value: number): value is Uid {
  return Number.isInteger(value) && value >= 1 && value <= MAX_UID;
}

/**
 * The 128-bit form of a mail GUID as 32 lower-case hex digits: the text itself if it is 32 hex digits, else the last
 * 16 bytes of its SHA-1 (Dovecot's index log and its expunge records).
 */
export function guid128(guid: string): string {
  if (/^[0-9a-fA-F]{32}$/.test(guid)) return guid.toLowerCase();
  return createHash('sha1').update(guid).digest('hex').slice(8);
}

/** Compares two texts by their UTF-8 bytes, as Dovecot orders names and GUIDs; JavaScript's `<` compares UTF-16 units. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates (code points above U+FFFF) sort after every other unit in UTF-8.
    const high = (c: number): number => (c >= 0xd800 && c <= 0xdfff ? c + 0x10000 : c);
    return high(x) - high(y);
  }
  return a.length - b.length;
}
