/**
 * The rows of a journal file. Keys: one byte for the kind, then what the row is about. Values: row-bytes.ts. Everything
 * is checked when it is read, so that a damaged row is an error and never a wrong answer of another type.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import type { MailboxGuid, MailboxPath, Uid } from '@dsync/protocol';
import { ALL_FLAGS, isMailboxGuid, isMailGuid, isUid, MAX_UID } from '@dsync/protocol';

import type { PrivateFlags, PrivateMail } from '../mail-store.ts';
import type { Met, UidRanges } from '../met.ts';
import { pathKey } from '../paths.ts';
import type { JournalAttribute, JournalExpunge, JournalHead, JournalMail, JournalName } from './journal.ts';
import { RowError, RowReader, RowWriter } from './row-bytes.ts';

export const ROW = {
  ...{ format: 1, head: 2, mail: 3, expunge: 4, attribute: 5, name: 6, deleted: 7, met: 8 },
  private: 9,
} as const;
export type RowKind = (typeof ROW)[keyof typeof ROW];

/** What the format row says. A journal that says otherwise is not read. */
const FORMAT = 'dsync journal 2';

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

const writer = new RowWriter();
const GUID_END = 17;

export function formatRow(): Row {
  return { key: Buffer.from([ROW.format]), value: Buffer.from(FORMAT) };
}

/** Bytes of the sum behind each value. */
const SUM = 4;

/** The value as it lies in the file: with a sum over the row, since lmdb keeps none. */
export function sealed({ key, value }: Row): Buffer {
  const bytes = Buffer.allocUnsafe(value.length + SUM);
  value.copy(bytes);
  bytes.writeUInt32LE(crc32(value, crc32(key)), value.length);
  return bytes;
}

/** The row of what lies in the file. @throws {RowError} if it is not what was written */
export function unsealed(key: Buffer, bytes: Buffer): Row {
  const length = bytes.length - SUM;
  if (length < 0) throw new RowError();
  const value = bytes.subarray(0, length);
  if (crc32(value, crc32(key)) !== bytes.readUInt32LE(length)) throw new RowError();
  return { key, value };
}

/** Key of a row about a mailbox, with a UID about one of its mails. */
export function guidKey(kind: RowKind, guid: MailboxGuid, uid?: number): Buffer {
  const key = Buffer.allocUnsafe(uid === undefined ? GUID_END : GUID_END + 4);
  key[0] = kind;
  key.write(guid, 1, 'hex');
  if (uid !== undefined) key.writeUInt32BE(uid, GUID_END);
  return key;
}

/** First key that is behind all keys with this beginning. The last byte of a GUID may be 255, so it carries. */
export function keyBehind(prefix: Buffer): Buffer {
  const key = Buffer.from(prefix);
  for (let i = key.length - 1; i >= 0; i--) {
    const byte = key[i] ?? 0;
    if (byte < 0xff) {
      key[i] = byte + 1;
      return key.subarray(0, i + 1);
    }
  }
  return Buffer.from([0xff]);
}

export function headRow(head: JournalHead): Row {
  writer.texts(head.path).number(head.uidValidity).number(head.uidNext).big(head.highestModseq).big(head.baseModseq);
  writer
    .number(head.firstRecentUid)
    .number(head.messages)
    .text(head.digest.toString(16))
    .text(head.fingerprint)
    .big(head.historyFrom);
  // Rows of earlier programs end here.
  if (head.readTo !== undefined) writer.text(head.readTo);
  return { key: guidKey(ROW.head, head.guid), value: writer.take() };
}

export function parseHead({ key, value }: Row): JournalHead {
  const row = new RowReader(value);
  const head: JournalHead = {
    guid: guidOf(key),
    path: parsePath(row),
    uidValidity: row.number(),
    uidNext: row.number(),
    highestModseq: row.big(),
    baseModseq: row.big(),
    firstRecentUid: row.number(),
    messages: row.number(),
    digest: parseDigest(row.text()),
    fingerprint: row.text(),
    historyFrom: row.big(),
    ...(row.atEnd ? {} : { readTo: row.text() }),
  };
  row.end();
  must(
    head.uidValidity <= 0xffffffff && head.uidNext >= 1 && head.uidNext <= MAX_UID + 1 && head.messages < head.uidNext,
  );
  return head;
}

export function mailRow(mailbox: MailboxGuid, mail: JournalMail): Row {
  // A Maildir's file name mostly begins with the mail's GUID; it is written once.
  const shared = mail.name.startsWith(mail.guid);
  writer.number(mail.flags).big(mail.modseq).text(mail.guid);
  writer.number(shared ? 1 : 0).text(shared ? mail.name.slice(mail.guid.length) : mail.name);
  const history =
    mail.addedFlags !== 0 ||
    mail.removedFlags !== 0 ||
    mail.addedKeywords.length > 0 ||
    mail.removedKeywords.length > 0;
  if (history || mail.keywords.length > 0) {
    writer
      .texts(mail.keywords)
      .number(mail.addedFlags)
      .number(mail.removedFlags)
      .texts(mail.addedKeywords)
      .texts(mail.removedKeywords);
  }
  return { key: guidKey(ROW.mail, mailbox, mail.uid), value: writer.take() };
}

export function parseMail({ key, value }: Row): JournalMail {
  const row = new RowReader(value);
  const flags = parseFlags(row);
  const modseq = row.big();
  const guid = row.text();
  must(isMailGuid(guid));
  const shared = row.flag();
  const rest = row.text();
  const plain = row.atEnd;
  const mail: JournalMail = {
    uid: uidOf(key),
    guid,
    modseq,
    flags,
    keywords: plain ? NONE : row.texts(),
    addedFlags: plain ? 0 : parseFlags(row),
    removedFlags: plain ? 0 : parseFlags(row),
    addedKeywords: plain ? NONE : row.texts(),
    removedKeywords: plain ? NONE : row.texts(),
    name: shared ? guid + rest : rest,
  };
  row.end();
  return mail;
}

export function expungeRow(mailbox: MailboxGuid, expunge: JournalExpunge): Row {
  return {
    key: guidKey(ROW.expunge, mailbox, expunge.uid),
    value: writer.big(expunge.modseq).text(expunge.guid).take(),
  };
}

export function parseExpunge({ key, value }: Row): JournalExpunge {
  const row = new RowReader(value);
  const expunge = { uid: uidOf(key), modseq: row.big(), guid: row.text() };
  row.end();
  must(isMailGuid(expunge.guid));
  return expunge;
}

export function attributeRow(mailbox: MailboxGuid, attribute: JournalAttribute): Row {
  const { scope, key, value, changedAt, modseq } = attribute;
  const hash = createHash('sha1').update(`${scope}/${key}`).digest();
  writer
    .number(scope === 'shared' ? 1 : 0)
    .text(key)
    .number(value === null ? 0 : 1)
    .text(value ?? '')
    .number(changedAt)
    .big(modseq);
  return { key: Buffer.concat([guidKey(ROW.attribute, mailbox), hash]), value: writer.take() };
}

export function parseAttribute({ value }: Row): JournalAttribute {
  const row = new RowReader(value);
  const scope = row.flag() ? 'shared' : 'private';
  const key = row.text();
  const there = row.flag();
  const text = row.text();
  const attribute: JournalAttribute = {
    scope,
    key,
    value: there ? text : null,
    changedAt: row.number(),
    modseq: row.big(),
  };
  row.end();
  return attribute;
}

export function nameKey(path: MailboxPath): Buffer {
  return Buffer.concat([Buffer.from([ROW.name]), createHash('sha1').update(pathKey(path)).digest()]);
}

export function nameRow(name: JournalName): Row {
  writer
    .texts(name.path)
    .number(name.renamedAt)
    .number(name.createdAt)
    .number(name.subscribed ? 1 : 0);
  writer.number(name.subscriptionChangedAt).number(name.removedAt);
  return { key: nameKey(name.path), value: writer.take() };
}

export function parseName({ value }: Row): JournalName {
  const row = new RowReader(value);
  const name: JournalName = {
    path: parsePath(row),
    renamedAt: row.number(),
    createdAt: row.number(),
    subscribed: row.flag(),
    subscriptionChangedAt: row.number(),
    removedAt: row.number(),
  };
  row.end();
  return name;
}

export function deletedRow(guid: MailboxGuid, time: number): Row {
  return { key: guidKey(ROW.deleted, guid), value: writer.number(time).take() };
}

export function parseDeleted({ key, value }: Row): readonly [MailboxGuid, number] {
  const row = new RowReader(value);
  const time = row.number();
  row.end();
  return [guidOf(key), time];
}

/** Key of a row about runs with a peer, with a mailbox about that. */
export function metKey(peer: string, guid?: MailboxGuid): Buffer {
  const prefix = [Buffer.from([ROW.met]), createHash('sha1').update(peer).digest()];
  return Buffer.concat(guid === undefined ? prefix : [...prefix, Buffer.from(guid, 'hex')]);
}

/** A mailbox's HIGHESTMODSEQ is never 0, which stands for none; what is held back follows if there is anything. */
export function metRow(peer: string, guid: MailboxGuid, { highestModseq, heldBack }: Met): Row {
  writer.big(highestModseq ?? 0n);
  if (heldBack !== null) {
    writer.number(heldBack.uidValidity);
    for (const ranges of [heldBack.theirs, heldBack.ours]) writeRanges(ranges);
  }
  return { key: metKey(peer, guid), value: writer.take() };
}

export function parseMet({ key, value }: Row): readonly [MailboxGuid, Met] {
  const row = new RowReader(value);
  const modseq = row.big();
  const heldBack = row.atEnd ? null : { uidValidity: row.number(), theirs: readRanges(row), ours: readRanges(row) };
  row.end();
  const guid = key.toString('hex', MET_GUID);
  must(isMailboxGuid(guid));
  return [guid, { highestModseq: modseq === 0n ? null : modseq, heldBack }];
}

/** Each number as what it is more than the one before. */
function writeRanges(ranges: UidRanges): void {
  writer.number(ranges.length);
  let before = 0;
  for (const [first, last] of ranges) {
    writer.number(first - before).number(last - first);
    before = last;
  }
}

function readRanges(row: RowReader): UidRanges {
  const ranges: (readonly [number, number])[] = [];
  let before = 0;
  for (let left = row.number(); left > 0; left--) {
    const first = before + row.number();
    before = first + row.number();
    must(before <= MAX_UID);
    ranges.push([first, before]);
  }
  return ranges;
}

export function privateRow(mailbox: MailboxGuid, { uidValidity, highestModseq, mails }: PrivateFlags): Row {
  writer.number(uidValidity).big(highestModseq).number(mails.size);
  for (const [uid, { flags, modseq }] of mails) writer.number(uid).number(flags).big(modseq);
  return { key: guidKey(ROW.private, mailbox), value: writer.take() };
}

export function parsePrivate({ value }: Row): PrivateFlags {
  const row = new RowReader(value);
  const uidValidity = row.number();
  const highestModseq = row.big();
  const mails = new Map<Uid, PrivateMail>();
  for (let left = row.number(); left > 0; left--) {
    const uid = row.number();
    must(isUid(uid));
    mails.set(uid, { flags: parseFlags(row), modseq: row.big() });
  }
  row.end();
  return { uidValidity, highestModseq, mails };
}

/** Behind the kind and the peer's hash. */
const MET_GUID = 21;

function guidOf(key: Buffer): MailboxGuid {
  const guid = key.toString('hex', 1, GUID_END);
  must(key.length === GUID_END && isMailboxGuid(guid));
  return guid;
}

function uidOf(key: Buffer): JournalMail['uid'] {
  must(key.length === GUID_END + 4);
  const uid = key.readUInt32BE(GUID_END);
  must(isUid(uid));
  return uid;
}

function parsePath(row: RowReader): MailboxPath {
  const path = row.texts();
  must(path.length > 0 && path.every((part) => part !== ''));
  return path;
}

function parseFlags(row: RowReader): number {
  const flags = row.number();
  must(flags <= ALL_FLAGS);
  return flags;
}

function parseDigest(text: string): bigint {
  must(/^[0-9a-f]{1,32}$/.test(text));
  return BigInt(`0x${text}`);
}

function must(right: boolean): asserts right {
  if (!right) throw new RowError();
}

const NONE: readonly string[] = [];
