/**
 * Rows of what a mailbox has many of, the entries of 64 UIDs to a row, which is called a page: lmdb takes as long for a
 * row of one as for one of all these. In a page each entry is its UID's distance to the page's first, the length of what
 * follows, and that. Reading throws `RowError`.
 */
import { isUid, type MailboxGuid, type Uid } from '@dsync/protocol';

import { must, RowReader, RowWriter } from './row-bytes.ts';
import { guidKey, numberOf, type Row, type RowKind } from './row.ts';

const UIDS_PER_PAGE = 64;

/** Entries of one page by their places in it: as bytes; null: to be removed. */
export type PageChange = Map<number, Buffer | null>;

/** Reads what one entry has behind its length. */
export type ReadEntry<T> = (row: RowReader, uid: Uid) => T;

const writer = new RowWriter();

/** The key of the page in which an entry with this UID is, if it is anywhere. */
export function pageKey(kind: RowKind, mailbox: MailboxGuid, uid: number): Buffer {
  return guidKey(kind, mailbox, Math.floor(uid / UIDS_PER_PAGE));
}

/** What removing and then putting entries does to each page, by the page's number. */
export function pageChanges<T extends { readonly uid: number }>(
  remove: Iterable<number>,
  put: Iterable<T>,
  bytesOf: (entry: T) => Buffer,
): Map<number, PageChange> {
  const pages = new Map<number, PageChange>();
  const note = (uid: number, bytes: Buffer | null): void => {
    const number = Math.floor(uid / UIDS_PER_PAGE);
    const page = pages.get(number) ?? new Map<number, Buffer | null>();
    pages.set(number, page.set(uid % UIDS_PER_PAGE, bytes));
  };
  for (const uid of remove) note(uid, null);
  for (const entry of put) note(entry.uid, bytesOf(entry));
  return pages;
}

/**
 * The value of a page with that change made; null if nothing is left in it.
 * @param before undefined: there was none
 */
export function changedPage(before: Buffer | undefined, change: PageChange): Buffer | null {
  const places: (Buffer | null | undefined)[] = [];
  for (const row = new RowReader(before ?? EMPTY); !row.atEnd;) {
    const place = row.number();
    must(place < UIDS_PER_PAGE);
    places[place] = row.bytes(row.number());
  }
  for (const [place, bytes] of change) places[place] = bytes;
  for (let place = 0; place < UIDS_PER_PAGE; place++) {
    const bytes = places[place];
    if (bytes) writer.number(place).number(bytes.length).bytes(bytes);
  }
  const value = writer.take();
  return value.length === 0 ? null : value;
}

/** All entries of a page, ascending UIDs. */
export function parsePage<T>({ key, value }: Row, read: ReadEntry<T>): T[] {
  const first = firstUid(key);
  const entries: T[] = [];
  let last = -1;
  for (const row = new RowReader(value); !row.atEnd;) {
    const place = row.number();
    must(place > last && place < UIDS_PER_PAGE);
    last = place;
    entries.push(readEntry(row, first + place, read));
  }
  return entries;
}

/** One entry of its page. */
export function entryInPage<T>({ key, value }: Row, uid: number, read: ReadEntry<T>): T | undefined {
  const place = uid - firstUid(key);
  for (const row = new RowReader(value); !row.atEnd; row.skip(row.number()))
    if (row.number() === place) return readEntry(row, uid, read);
  return undefined;
}

function readEntry<T>(row: RowReader, uid: number, read: ReadEntry<T>): T {
  must(isUid(uid));
  const length = row.number();
  const end = row.at + length;
  const entry = read(row, uid);
  must(row.at === end);
  return entry;
}

function firstUid(key: Buffer): number {
  return numberOf(key) * UIDS_PER_PAGE;
}

const EMPTY = Buffer.alloc(0);
