/**
 * Processes open and close a journal one at a time. Who closes it as the last one destroys lmdb's mutexes, and lmdb does
 * not keep out who opens it at that moment: every transaction of that one would fail.
 */
import fs from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

import { takeDotlock } from '../dotlock.ts';

/** Longer than a large journal is looked through after a process was killed (use-mark.ts). */
const TIMEOUT_MS = 180_000;

/** @throws {StoreError} `Locked`, `Permission`, `DiskFull`, … */
export function takeTurn(journal: string): Promise<AsyncDisposable> {
  return takeDotlock(`${journal}-turn`, {
    host: hostname(),
    timeoutMs: TIMEOUT_MS,
    what: `journal ${journal}`,
    // Whose the folder is, that one must be able to see whose turn it is.
    ...(process.geteuid?.() === 0 ? ownerOf(dirname(journal)) : {}),
  });
}

function ownerOf(folder: string): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = fs.statSync(folder);
  return { uid, gid };
}
