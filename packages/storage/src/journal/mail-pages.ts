/**
 * Rows of a mailbox's mails, the mails of 64 UIDs to a row, which is called a page: lmdb takes as long for a row of one
 * mail as for one of all these. In a page each mail is its UID's distance to the page's first, the length of what
 * follows, and that. Reading throws `RowError`.
 */
import { isMailGuid, isUid, type MailboxGuid } from '@dsync/protocol';

import type { JournalMail } from './journal.ts';
import { must, RowReader, RowWriter } from './row-bytes.ts';
import { guidKey, numberOf, readFlags, ROW, type Row } from './row.ts';

const UIDS_PER_PAGE = 64;

/** Mails of one page by their places in it: as bytes; null: to be removed. */
export type PageChange = Map<number, Buffer | null>;

const writer = new RowWriter();

/** The key of the page in which a mail with this UID is, if it is anywhere. */
export function pageKey(mailbox: MailboxGuid, uid: number): Buffer {
  return guidKey(ROW.mails, mailbox, Math.floor(uid / UIDS_PER_PAGE));
}

/** What removing and then putting mails does to each page, by the page's number. */
export function pageChanges(remove: Iterable<number>, put: Iterable<JournalMail>): Map<number, PageChange> {
  const pages = new Map<number, PageChange>();
  const note = (uid: number, bytes: Buffer | null): void => {
    const number = Math.floor(uid / UIDS_PER_PAGE);
    const page = pages.get(number) ?? new Map<number, Buffer | null>();
    pages.set(number, page.set(uid % UIDS_PER_PAGE, bytes));
  };
  for (const uid of remove) note(uid, null);
  for (const mail of put) note(mail.uid, mailBytes(mail));
  return pages;
}

/**
 * The value of a page with that change made; null if no mail is left in it.
 * @param before undefined: there was none
 */
export function changedPage(before: Buffer | undefined, change: PageChange): Buffer | null {
  const places: (Buffer | null)[] = Array.from({ length: UIDS_PER_PAGE }, () => null);
  for (const row = new RowReader(before ?? EMPTY); !row.atEnd;) {
    const place = row.number();
    must(place < UIDS_PER_PAGE);
    places[place] = row.bytes(row.number());
  }
  for (const [place, bytes] of change) places[place] = bytes;
  for (const [place, bytes] of places.entries())
    if (bytes !== null) writer.number(place).number(bytes.length).bytes(bytes);
  const value = writer.take();
  return value.length === 0 ? null : value;
}

/** All mails of a page, ascending UIDs. */
export function parsePage({ key, value }: Row): JournalMail[] {
  const first = firstUid(key);
  const mails: JournalMail[] = [];
  let last = -1;
  for (const row = new RowReader(value); !row.atEnd;) {
    const place = row.number();
    must(place > last && place < UIDS_PER_PAGE);
    last = place;
    mails.push(readMail(row, first + place));
  }
  return mails;
}

/** One mail of its page. */
export function mailInPage({ key, value }: Row, uid: number): JournalMail | undefined {
  const place = uid - firstUid(key);
  for (const row = new RowReader(value); !row.atEnd; row.skip(row.number()))
    if (row.number() === place) return readMail(row, uid);
  return undefined;
}

function firstUid(key: Buffer): number {
  return numberOf(key) * UIDS_PER_PAGE;
}

/** What a mail's UID may be followed by in its page. */
const KIND = {
  /** A Maildir's file name mostly begins with the mail's GUID; it is written once. */
  sharesName: 1,
  /** It has keywords, or something has happened with it. */
  hasHistory: 2,
} as const;

function mailBytes(mail: JournalMail): Buffer {
  const { guid, name, keywords, addedFlags, removedFlags, addedKeywords, removedKeywords } = mail;
  const shared = name.startsWith(guid);
  const history =
    keywords.length + addedKeywords.length + removedKeywords.length > 0 || addedFlags !== 0 || removedFlags !== 0;
  writer.number((shared ? KIND.sharesName : 0) | (history ? KIND.hasHistory : 0));
  writer.number(mail.flags).big(mail.modseq).text(guid);
  writer.text(shared ? name.slice(guid.length) : name);
  if (history)
    writer.texts(keywords).number(addedFlags).number(removedFlags).texts(addedKeywords).texts(removedKeywords);
  return writer.take();
}

function readMail(row: RowReader, uid: number): JournalMail {
  must(isUid(uid));
  const length = row.number();
  const end = row.at + length;
  const kind = row.number();
  must(kind <= (KIND.sharesName | KIND.hasHistory));
  const flags = readFlags(row);
  const modseq = row.big();
  const guid = row.text();
  must(isMailGuid(guid));
  const rest = row.text();
  const plain = (kind & KIND.hasHistory) === 0;
  const mail: JournalMail = {
    uid,
    guid,
    modseq,
    flags,
    keywords: plain ? NONE : row.texts(),
    addedFlags: plain ? 0 : readFlags(row),
    removedFlags: plain ? 0 : readFlags(row),
    addedKeywords: plain ? NONE : row.texts(),
    removedKeywords: plain ? NONE : row.texts(),
    name: (kind & KIND.sharesName) === 0 ? rest : guid + rest,
  };
  must(row.at === end);
  return mail;
}

const NONE: readonly string[] = [];
const EMPTY = Buffer.alloc(0);
