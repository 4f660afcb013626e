/**
 * What a Dovecot has noted in its index log of a mailbox: the GUIDs of mails that were expunged through it. Of a mail that
 * came and went between two looks of ours nothing else tells. Never written.
 */
import { join } from 'node:path';

import {
  FORMER_LOG,
  LOG,
  parseDovecotLog,
  readDovecotLogBytes,
  recordsOf,
  setsUidValidity,
  TYPE,
} from './dovecot-records.ts';

/**
 * GUIDs, in their 128-bit form, by UID. Where there is no log, or none that can be read, nothing.
 * @param index the mailbox's folder of index files
 */
export function readDovecotExpunges(index: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  // The one before it comes first, so that a new UIDVALIDITY clears what it has.
  for (const name of [FORMER_LOG, LOG]) {
    const bytes = readDovecotLogBytes(join(index, name));
    if (bytes !== null) collectExpunges(bytes, found);
  }
  return found;
}

/** Adds what one log has to `found`, up to its end or to what is not well-formed. */
export function collectExpunges(bytes: Buffer, found: Map<number, string>): void {
  const log = parseDovecotLog(bytes);
  if (log === null) return;
  for (const record of recordsOf(log)) {
    if (record.type === TYPE.expungeGuid) noteExpunges(record.data, found);
    else if (setsUidValidity(record)) found.clear();
  }
}

/** A record that only confirms an expunge has no GUID. */
function noteExpunges(data: Buffer, found: Map<number, string>): void {
  for (let at = 0; at + 20 <= data.length; at += 20) {
    const guid = data.toString('hex', at + 4, at + 20);
    if (!/^0+$/.test(guid)) found.set(data.readUInt32LE(at), guid);
  }
}
