/**
 * `dovecot-uidvalidity` and its empty twin `dovecot-uidvalidity.<hex>`: the highest UIDVALIDITY given in this store
 * (storage-formats.md 4.4).
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { StoreError } from '../errors.ts';
import { adopt, attempt, makeDirectories, ownershipOf, readText, replaceFile } from './folder.ts';

const FILE = 'dovecot-uidvalidity';

/** The highest one given so far; 0 if there is no record of it. */
export function readUidValidity(controlRoot: string): number {
  const text = readText(join(controlRoot, FILE)) ?? '';
  return /^[0-9a-f]{8}$/.test(text) ? Number.parseInt(text, 16) : 0;
}

/** A new one, recorded. @throws {StoreError} */
export function nextUidValidity(controlRoot: string, now: number): number {
  const last = readUidValidity(controlRoot);
  const next = last === 0 || last >= 0xffffffff ? Math.floor(now) : last + 1;
  noteUidValidity(controlRoot, next);
  return next;
}

/** Records that this one is in use, so that later mailboxes get higher ones. @throws {StoreError} */
export function noteUidValidity(controlRoot: string, value: number): void {
  const last = readUidValidity(controlRoot);
  if (value <= last) return;
  makeDirectories(controlRoot, ownershipOf(join(controlRoot, '..')));
  const owner = ownershipOf(controlRoot);
  const file = join(controlRoot, FILE);
  const twin = `${file}.${hex(value)}`;
  // The twin first: it is by renaming it that others take the next one.
  try {
    if (last > 0 && fs.existsSync(`${file}.${hex(last)}`)) fs.renameSync(`${file}.${hex(last)}`, twin);
    else {
      fs.closeSync(fs.openSync(twin, 'w', 0o444));
      attempt(() => adopt(twin, { ...owner, fileMode: 0o444 }, 'file'));
    }
  } catch (cause) {
    throw StoreError.from(cause, `cannot write ${twin}`);
  }
  replaceFile(file, `${file}.tmp`, hex(value), owner);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
