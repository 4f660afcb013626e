/** The transaction log that a Dovecot keeps of a mailbox, record by record. Only read. */
import fs from 'node:fs';

import type { Modseq } from '@dsync/protocol';

/** The log that is written to now, in a mailbox's index folder. */
export const LOG = 'dovecot.index.log';
/** The one before it, which stays until the next is begun. */
export const FORMER_LOG = `${LOG}.2`;

/** A Dovecot rotates its logs at 1 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;
const HEADER = 40;

/** Types of records: the low 28 bits of a record's second word. */
export const TYPE = {
  append: 0x2,
  flags: 0x4,
  header: 0x20,
  keyword: 0x400,
  keywordReset: 0x800,
  modseq: 0x8000,
  boundary: 0x80000,
  attribute: 0x100000,
  /** With the mark that every expunge has. */
  expunge: 0x1 | 0xcd90,
  expungeGuid: 0x2000 | 0xcd90,
} as const;

/** Notes what has already happened to the files, whoever did it. */
const EXTERNAL = 0x10000000;
/** Made by a synchroniser. */
const SYNC = 0x20000000;
const TYPE_BITS = 0x0fffffff;

/** A log whose header can be read. `start`: where its first record lies; `modseq`: HIGHESTMODSEQ before that. */
export interface DovecotLog {
  readonly id: number;
  readonly seq: number;
  readonly modseq: Modseq;
  readonly start: number;
  readonly bytes: Buffer;
}

/** A record that is written as a whole. `end`: where the next one begins. */
export interface LogRecord {
  readonly type: number;
  readonly data: Buffer;
  /** Through Dovecot by somebody who is no synchroniser. */
  readonly byUser: boolean;
  /** HIGHESTMODSEQ with it. */
  readonly modseq: Modseq;
  readonly end: number;
}

/** Null where there is none, or none that can be read. */
export function readDovecotLog(file: string): DovecotLog | null {
  const bytes = readDovecotLogBytes(file);
  return bytes === null ? null : parseDovecotLog(bytes);
}

/** It is a help and never needed, so that whatever is wrong with it is no reason to fail. */
export function readDovecotLogBytes(file: string): Buffer | null {
  try {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size >= HEADER && stat.size <= MAX_BYTES ? fs.readFileSync(file) : null;
  } catch {
    return null;
  }
}

/** Null if it is none: of a later version, of the other byte order, marked as damaged. */
export function parseDovecotLog(bytes: Buffer): DovecotLog | null {
  if (bytes.length < HEADER || bytes[0] !== 1 || bytes[32] !== 1) return null;
  const [id, seq, start] = [bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt16LE(2)];
  if (id === 0 || start < HEADER) return null;
  return { id, seq, modseq: bytes.readBigUInt64LE(24), start, bytes };
}

/** All that is written as a whole; modseqs are counted from the beginning. */
export function* recordsOf({ bytes, modseq: initial, start }: DovecotLog): Generator<LogRecord> {
  let modseq = initial;
  let at = start;
  for (let size = wholeRecordAt(bytes, at); size !== 0; size = wholeRecordAt(bytes, at)) {
    const word = bytes.readUInt32LE(at + 4);
    const type = word & TYPE_BITS;
    const data = bytes.subarray(at + 8, at + size);
    modseq = modseqWith(modseq, type, (word & EXTERNAL) !== 0, data);
    at += size;
    yield { type, data, byUser: (word & (EXTERNAL | SYNC)) === 0, modseq, end: at };
  }
}

/** Where the next record will begin. */
export function endOf({ bytes, start }: DovecotLog): number {
  let at = start;
  for (let size = wholeRecordAt(bytes, at); size !== 0; size = wholeRecordAt(bytes, at)) at += size;
  return at;
}

/** The bytes of a record; 0 if it is not written as a whole, or begins a transaction that is not. */
function wholeRecordAt(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) return 0;
  const size = recordSize(bytes.readUInt32BE(at));
  if (size < 8 || at + size > bytes.length) return 0;
  const isBoundary = (bytes.readUInt32LE(at + 4) & TYPE_BITS) === TYPE.boundary;
  return isBoundary && size >= 12 && at + bytes.readUInt32LE(at + 8) > bytes.length ? 0 : size;
}

function modseqWith(modseq: Modseq, type: number, external: boolean, data: Buffer): Modseq {
  switch (type) {
    case TYPE.append:
    case TYPE.flags:
    case TYPE.keyword:
    case TYPE.keywordReset:
    case TYPE.attribute:
      return modseq + 1n;
    case TYPE.expunge:
    case TYPE.expungeGuid:
      return external ? modseq + 1n : modseq;
    case TYPE.modseq: {
      let highest = modseq;
      for (let at = 0; at + 12 <= data.length; at += 12) {
        const told = data.readBigUInt64LE(at + 4);
        if (told > highest) highest = told;
      }
      return highest;
    }
    default:
      return modseq;
  }
}

/** Where the UIDVALIDITY stands in the index's header. */
const UID_VALIDITY = { from: 24, to: 28 } as const;

/** Whether UIDs stand for other mails from here on. */
export function setsUidValidity({ type, data }: LogRecord): boolean {
  if (type !== TYPE.header) return false;
  for (let at = 0; at + 4 <= data.length;) {
    const offset = data.readUInt16LE(at);
    const size = data.readUInt16LE(at + 2);
    if (offset < UID_VALIDITY.to && offset + size > UID_VALIDITY.from) return true;
    at += 4 + Math.ceil(size / 4) * 4;
  }
  return false;
}

/** Four times 7 bits, each with the high bit set, in units of four bytes; 0 while it is being written. */
function recordSize(coded: number): number {
  if ((coded & 0x80808080) >>> 0 !== 0x80808080) return 0;
  return (((coded & 0x7f000000) >>> 3) | ((coded & 0x7f0000) >>> 2) | ((coded & 0x7f00) >>> 1) | (coded & 0x7f)) * 4;
}
