/**
 * The locks that keep other synchronisers out: `.dovecot-box-sync.lock` of a mailbox, `.dovecot-sync.lock` of a user
 * (sync-semantics.md 8.1). How they exclude is decided here and nowhere else.
 */
import fs from 'node:fs';
import { dirname } from 'node:path';

import { StoreError } from '../errors.ts';
import { dropAbandonedLock, takeDotlock } from './dotlock.ts';

export const MAILBOX_LOCK = '.dovecot-box-sync.lock';
export const USER_LOCK = '.dovecot-sync.lock';

/** @throws {StoreError} `Locked` after `timeoutMs` */
export async function takeSyncLock(
  path: string,
  options: { readonly host: string; readonly timeoutMs: number; readonly what: string },
): Promise<AsyncDisposable> {
  try {
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw StoreError.from(cause, `cannot lock ${options.what}`);
  }
  return takeDotlock(path, options);
}

/** Removes a lock that a killed run left, which would lie there until somebody wants it again. */
export function dropLeftSyncLock(path: string, host: string): void {
  dropAbandonedLock(path, host);
}
