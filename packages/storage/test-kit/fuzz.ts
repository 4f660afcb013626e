/**
 * What reads files that others wrote, each as one function of any bytes. What was read and written again must read the
 * same; anything but a StoreError that comes out is a defect.
 */
import { deepStrictEqual } from 'node:assert/strict';

import { mailboxGuid } from '@dsync/protocol';

import { StoreError } from '../src/errors.ts';
import * as mailbox from '../src/journal/mailbox-rows.ts';
import type { Row } from '../src/journal/row.ts';
import { RowError } from '../src/journal/row-bytes.ts';
import * as store from '../src/journal/store-rows.ts';
import { entryInPage, parsePage, type ReadEntry } from '../src/journal/uid-pages.ts';
import { undoneIn } from '../src/maildir/dovecot-history.ts';
import { collectExpunges } from '../src/maildir/dovecot-log.ts';
import { parseDovecotLog, recordsOf } from '../src/maildir/dovecot-records.ts';
import { compareArrival, parseFileName, printFileName, sizeIn } from '../src/maildir/file-name.ts';
import { addKeywords, keywordsOf, lettersFor, parseKeywords, printKeywords } from '../src/maildir/keywords-file.ts';
import { parseMailboxLog, printMailboxLog } from '../src/maildir/mailbox-log.ts';
import { decodeMutf7, encodeMutf7 } from '../src/maildir/mutf7.ts';
import { parseSubscriptions, printSubscriptions } from '../src/maildir/subscriptions.ts';
import { parseUidlist, parseUidlistHeader, printUidlist } from '../src/maildir/uidlist.ts';

const GUID = mailboxGuid('0123456789abcdef0123456789abcdef');

function coded<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof StoreError || error instanceof RowError) return null;
    throw error;
  }
}

export function fuzzUidlist(input: Buffer): void {
  const text = input.toString('utf8');
  coded(() => parseUidlistHeader(text, 'file'));
  const list = coded(() => parseUidlist(text, 'file'));
  if (list === null) return;
  const next = { ...list, guid: list.guid ?? GUID };
  const again = parseUidlist(printUidlist(next), 'file');
  deepStrictEqual(again, { ...next, version: 3, untidy: false });
}

export function fuzzKeywords(input: Buffer): void {
  const letters = coded(() => parseKeywords(input.toString('utf8'), 'file'));
  if (letters === null) return;
  deepStrictEqual([...parseKeywords(printKeywords(letters), 'file')], [...letters]);
  const more = addKeywords(letters, ['$Label1', 'todo']);
  const { text, missing } = lettersFor(more, ['$Label1', 'todo']);
  if (missing.length === 0 && keywordsOf(more, text).length !== 2) throw new Error('a keyword has no letter');
}

export function fuzzSubscriptions(input: Buffer): void {
  const list = parseSubscriptions(input.toString('utf8'), '.');
  deepStrictEqual(parseSubscriptions(printSubscriptions(list, '.'), '.'), list);
}

export function fuzzMailboxLog(input: Buffer): void {
  const records = parseMailboxLog(input);
  deepStrictEqual(parseMailboxLog(printMailboxLog(records)), records);
}

export function fuzzDovecotLog(input: Buffer): void {
  const found = new Map<number, string>();
  collectExpunges(input, found);
  for (const guid of found.values()) if (!/^[0-9a-f]{32}$/.test(guid)) throw new Error('not a GUID');
}

const MAILS = Array.from({ length: 100 }, (_, i) => ({ uid: i + 1 }));

export function fuzzDovecotHistory(input: Buffer): void {
  const log = parseDovecotLog(input);
  if (log !== null) undoneIn([...recordsOf(log)], MAILS);
}

/** Names of files and directories. */
export function fuzzNames(input: Buffer): void {
  const text = input.toString('utf8');
  const decoded = decodeMutf7(text);
  if (decoded !== null && encodeMutf7(decoded) !== text) throw new Error('a name has two spellings');
  const parsed = parseFileName(text);
  if (parsed === null) return;
  sizeIn(parsed.base, 'S');
  compareArrival(parsed.base, text);
  const printed = printFileName(parsed.base, parsed.flags, parsed.keywordLetters, parsed);
  const again = parseFileName(printed);
  deepStrictEqual(
    [again?.base, again?.flags, again?.keywordLetters, again?.more],
    [parsed.base, parsed.flags, parsed.keywordLetters, parsed.more],
  );
}

const PARSERS = [
  mailbox.parseHead,
  ...[mailbox.readMail, mailbox.readExpunge].flatMap((read: ReadEntry<unknown>) => [
    (page: Row) => parsePage(page, read),
    (page: Row) => entryInPage(page, 1, read),
  ]),
  mailbox.parseAttribute,
  mailbox.parsePrivate,
  store.parseName,
  store.parseDeleted,
  store.parseMet,
] as const;
/** Lengths of keys, in bytes. */
const KEYS = [17, 21, 37] as const;

/** Rows of the journal: a key and its value. */
export function fuzzJournalRows(input: Buffer): void {
  for (const parse of PARSERS)
    for (const key of KEYS) coded(() => parse({ key: input.subarray(0, key), value: input.subarray(key) }));
}
