/** What goes wrong in the journal's file, told as a store's errors. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

import { StoreError } from '../errors.ts';
import { RowError } from './row-bytes.ts';

/** The error of a journal that cannot be read. `why`: a few words. */
export function corrupt(file: string, why: string, cause?: unknown): StoreError {
  return new StoreError('Corrupt', `journal ${file} is damaged (${why}); without it the next run compares everything`, {
    cause,
  });
}

/** What a call of lmdb threw, as a store's error. */
export function failure(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof RowError) return corrupt(file, 'an entry cannot be read', error);
  // Not instanceof Error: under Jest lmdb's errors come from another realm.
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  // lmdb's own codes run from -30799 upward, a system call's are its errno.
  const own = LMDB_DAMAGE.get(Number(code));
  if (own !== undefined) return corrupt(file, own, error);
  if (code === EIO && hasLess(file, 1024 * 1024)) return full(file, error);
  const errno = typeof code === 'number' ? ERRNO.get(code) : undefined;
  if (errno !== undefined)
    return StoreError.from(Object.assign(new Error(message(error)), { code: errno }), `journal ${file}`);
  return StoreError.from(error, `journal ${file}`);
}

/** What a small transaction may add to the file, bytes. */
const LEAST_ROOM = 64 * 1024;

/**
 * To be called before a transaction: of a write that fails lmdb tells on stderr, in the middle of a line.
 * @throws {StoreError} `DiskFull`
 */
export function mustHaveRoom(file: string): void {
  if (hasLess(file, LEAST_ROOM)) throw full(file);
}

function full(file: string, cause?: unknown): StoreError {
  return new StoreError('DiskFull', `journal ${file}: no space left on device`, { cause });
}

/** Whether fewer bytes are free; false where that cannot be told. */
function hasLess(file: string, bytes: number): boolean {
  try {
    const { bavail, bfree, blocks, bsize } = statfsSync(dirname(file));
    const free = process.geteuid?.() === 0 ? bfree : bavail;
    return blocks > 0 && free * bsize < bytes;
  } catch {
    return false;
  }
}

function message(error: unknown): string {
  // Behind its reason lmdb tells of pages and buffers.
  return error instanceof Error ? error.message.replace(/: Attempting to .*$/s, '') : String(error);
}

const LMDB_DAMAGE: ReadonlyMap<number, string> = new Map([
  [-30797, 'a page is missing'],
  [-30796, 'a page cannot be read'],
  [-30795, 'its pages contradict each other'],
  [-30794, 'another version of the file format'],
  [-30793, 'not a journal'],
  [-30784, 'its pages are of the wrong kind'],
  [-30782, 'a transaction went wrong'],
  [-30781, 'an entry has an impossible size'],
  [-30779, 'a page is not what it must be'],
]);

/** What lmdb calls a write that the disk had no room for. */
const EIO = 5;

const ERRNO: ReadonlyMap<number, string> = new Map([
  [1, 'EPERM'],
  [2, 'ENOENT'],
  [13, 'EACCES'],
  [20, 'ENOTDIR'],
  [28, 'ENOSPC'],
  [30, 'EROFS'],
  [122, 'EDQUOT'],
]);
