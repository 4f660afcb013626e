/**
 * The text of a state, interchangeable with Dovecot's: base64 of the bytes 1 0 0 0, 44 bytes for
 * each mailbox, and a CRC-32 over all of it. Numbers are little-endian.
 */
import { isMailboxGuid, type MailboxGuid } from '@dsync/protocol';
import { crc32 } from 'node:zlib';

import type { MailboxSyncState, SyncState } from './sync-state.ts';

const VERSION = Buffer.from([1, 0, 0, 0]);
const RECORD = 44;
const CRC = 4;
/** Dovecot before 2.2.13 wrote no version and 40 bytes for each mailbox; such a state says nothing that can be used. */
const OLD_RECORD = 40;
const MAX_U32 = 0xffffffff;

/** A state, or why the text is none. */
export type ParsedState =
  | { readonly ok: true; readonly state: SyncState }
  | {
      readonly ok: false;
      /** One line, fit to be shown. */
      readonly reason: string;
    };

/** The text to print after a run and to give to the next one. */
export function printSyncState(state: SyncState): string {
  const records = [...state].map(([guid, mailbox]) => {
    const record = Buffer.alloc(RECORD);
    record.write(guid, 0, 'hex');
    record.writeUInt32LE(mailbox.uidValidity, 16);
    record.writeUInt32LE(mailbox.lastCommonUid, 20);
    record.writeBigUInt64LE(mailbox.lastCommonModseq, 24);
    record.writeBigUInt64LE(mailbox.lastCommonPrivateModseq, 32);
    record.writeUInt32LE(Math.min(mailbox.messages, MAX_U32), 40);
    return record;
  });
  const content = Buffer.concat([VERSION, ...records]);
  const sum = Buffer.alloc(CRC);
  sum.writeUInt32LE(crc32(content));
  return Buffer.concat([content, sum]).toString('base64');
}

/** Reads the text of an earlier run. What cannot be read asks for a full run, never for an end of the run. */
export function parseSyncState(text: string): ParsedState {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return { ok: false, reason: 'Invalid base64 data' };
  if (bytes.length === 4 && bytes.readUInt32LE() === 0) return { ok: true, state: new Map() };
  if (bytes.length < VERSION.length + CRC) return { ok: false, reason: 'Input too small' };
  const content = bytes.subarray(0, -CRC);
  const old = content.length % OLD_RECORD === 0;
  const current = (content.length - VERSION.length) % RECORD === 0;
  if (!old && !current) return { ok: false, reason: 'Invalid input size' };
  if (crc32(content) !== bytes.readUInt32LE(content.length)) return { ok: false, reason: 'CRC32 mismatch' };
  // Some numbers of records fit both sizes; then the version bytes tell.
  if (!current || (old && !bytes.subarray(0, VERSION.length).equals(VERSION))) return { ok: true, state: new Map() };
  return readRecords(content.subarray(VERSION.length));
}

function readRecords(bytes: Buffer): ParsedState {
  const state = new Map<MailboxGuid, MailboxSyncState>();
  for (let at = 0; at < bytes.length; at += RECORD) {
    const guid = bytes.toString('hex', at, at + 16);
    if (!isMailboxGuid(guid)) return { ok: false, reason: 'Mailbox without GUID' };
    state.set(guid, {
      uidValidity: bytes.readUInt32LE(at + 16),
      lastCommonUid: bytes.readUInt32LE(at + 20),
      lastCommonModseq: bytes.readBigUInt64LE(at + 24),
      lastCommonPrivateModseq: bytes.readBigUInt64LE(at + 32),
      messages: bytes.readUInt32LE(at + 40),
    });
  }
  return { ok: true, state };
}
