/**
 * `dovecot-uidvalidity` and its empty twin `dovecot-uidvalidity.<hex>`: the highest UIDVALIDITY given in this store, as
 * 8 lower-case hex digits in both. Dovecot renames the twin to give the next one.
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { StoreError } from '../errors.ts';
import { adopt, attempt, makeDirectories, ownershipOf, readText, writeAll, type Ownership } from './files.ts';

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
    else if (!fs.existsSync(twin)) {
      fs.closeSync(fs.openSync(twin, 'w', 0o444));
      attempt(() => adopt(twin, { ...owner, fileMode: 0o444 }, 'file'));
    }
  } catch (cause) {
    throw StoreError.from(cause, `cannot write ${twin}`);
  }
  overwrite(file, hex(value), owner);
}

/** In place, as Dovecot does it: eight letters over eight others, and no file beside it that a stop could leave. */
function overwrite(file: string, text: string, owner: Ownership): void {
  let fd: number | null = null;
  try {
    const isNew = !fs.existsSync(file);
    const { O_WRONLY, O_CREAT } = fs.constants;
    fd = fs.openSync(file, O_WRONLY | O_CREAT, owner.fileMode);
    writeAll(fd, Buffer.from(text), 0);
    if (isNew) adopt(fd, owner, 'file');
  } catch (cause) {
    throw StoreError.from(cause, `cannot write ${file}`);
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
