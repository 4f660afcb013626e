/**
 * What lies in a journal file: rows. Keys: one byte for the kind, then what the row is about. Values: row-bytes.ts, and a
 * sum. Everything is checked when it is read, so that a damaged row is an error and never a wrong answer of another type.
 */
import { crc32 } from 'node:zlib';

import { ALL_FLAGS, isMailboxGuid, type MailboxGuid, type MailboxPath } from '@dsync/protocol';

import { must, RowError, type RowReader } from './row-bytes.ts';

/** Kinds of rows: the first byte of a key. */
export const ROW = {
  format: 1,
  head: 2,
  /** Of some dozen mails: uid-pages.ts. */
  mails: 3,
  expunges: 4,
  attribute: 5,
  name: 6,
  /** A mailbox that was deleted. */
  deleted: 7,
  /** How a mailbox was after a run with a peer. */
  met: 8,
  /** The private flags of a mailbox. */
  private: 9,
} as const;

/** One of `ROW`. */
export type RowKind = (typeof ROW)[keyof typeof ROW];

/** What the format row says. A journal that says otherwise is not read. */
const FORMAT = 'dsync journal 3';

/** Without the sum. */
export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Of a key that is about a mailbox: behind the kind and the GUID. */
const GUID_END = 17;

/** The one row without a sum, which says what the others are. */
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

/** Key of a row about a mailbox, with a number about one of its pages. */
export function guidKey(kind: RowKind, guid: MailboxGuid, number?: number): Buffer {
  const key = Buffer.allocUnsafe(number === undefined ? GUID_END : GUID_END + 4);
  key[0] = kind;
  key.write(guid, 1, 'hex');
  if (number !== undefined) key.writeUInt32BE(number, GUID_END);
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

/** The mailbox of a key that is about one and nothing else of it. @throws {RowError} */
export function guidOf(key: Buffer): MailboxGuid {
  const guid = key.toString('hex', 1, GUID_END);
  must(key.length === GUID_END && isMailboxGuid(guid));
  return guid;
}

/** The number of a key that has one. @throws {RowError} */
export function numberOf(key: Buffer): number {
  must(key.length === GUID_END + 4);
  return key.readUInt32BE(GUID_END);
}

/** @throws {RowError} unless it is the path of a mailbox */
export function readPath(row: RowReader): MailboxPath {
  const path = row.texts();
  must(path.length > 0 && path.every((part) => part !== ''));
  return path;
}

/** @throws {RowError} unless these are flags */
export function readFlags(row: RowReader): number {
  const flags = row.number();
  must(flags <= ALL_FLAGS);
  return flags;
}
