/**
 * What a Dovecot has noted in its index log of a mailbox: the GUIDs of mails that were expunged through it
 * (storage-formats.md 3.2, 3.3). Of a mail that came and went between two looks of ours nothing else tells. Never written.
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';

/** A Dovecot begins a new log at about a megabyte. */
const MAX_BYTES = 8 * 1024 * 1024;

const HEADER_BYTES = 40;
const TYPE_BITS = 0x0fffffff;
const EXPUNGE_GUID = 0x2000 | 0xcd90;
const HEADER_UPDATE = 0x20;
const UID_VALIDITY_AT = 24;

/**
 * GUIDs, in their 128-bit form, by UID. Where there is no log, or none that can be read, nothing.
 * @param index the mailbox's folder of index files
 * @throws {StoreError} if the folder cannot be read
 */
export function readDovecotExpunges(index: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  // The one before it comes first, so that a new UIDVALIDITY clears what it has.
  for (const name of ['dovecot.index.log.2', 'dovecot.index.log']) {
    const log = readLog(join(index, name));
    if (log !== null) collectExpunges(log, found);
  }
  return found;
}

function readLog(path: string): Buffer | null {
  try {
    const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size < HEADER_BYTES || size > MAX_BYTES ? null : fs.readFileSync(path);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return null;
    throw StoreError.from(cause, `cannot read ${path}`);
  }
}

/** Adds what one log has to `found`, up to its end or to what is not well-formed. */
export function collectExpunges(log: Buffer, found: Map<number, string>): void {
  if (log.length < HEADER_BYTES || log.readUInt8(0) !== 1 || log.readUInt8(32) !== 1) return;
  if (log.readUInt32LE(4) === 0) return;
  let at = Math.max(HEADER_BYTES, log.readUInt16LE(2));
  while (at + 8 <= log.length) {
    const size = sizeAt(log, at);
    // Smaller: being written.
    if (size < 8 || at + size > log.length) return;
    const data = log.subarray(at + 8, at + size);
    const type = log.readUInt32LE(at + 4) & TYPE_BITS;
    if (type === EXPUNGE_GUID) noteExpunges(data, found);
    else if (type === HEADER_UPDATE && setsUidValidity(data)) found.clear();
    at += size;
  }
}

/** A record's size in its own coding; 0 if it is none. */
function sizeAt(log: Buffer, at: number): number {
  let words = 0;
  for (const byte of log.subarray(at, at + 4)) {
    if (byte < 0x80) return 0;
    words = words * 0x80 + (byte & 0x7f);
  }
  return words * 4;
}

/** A record that only confirms an expunge has no GUID. */
function noteExpunges(data: Buffer, found: Map<number, string>): void {
  for (let at = 0; at + 20 <= data.length; at += 20) {
    const guid = data.toString('hex', at + 4, at + 20);
    if (!/^0+$/.test(guid)) found.set(data.readUInt32LE(at), guid);
  }
}

function setsUidValidity(data: Buffer): boolean {
  for (let at = 0; at + 4 <= data.length;) {
    const offset = data.readUInt16LE(at);
    const size = data.readUInt16LE(at + 2);
    if (offset < UID_VALIDITY_AT + 4 && offset + size > UID_VALIDITY_AT) return true;
    at += 4 + Math.ceil(size / 4) * 4;
  }
  return false;
}
