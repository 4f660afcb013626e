/**
 * The locks that keep other synchronisers out, ours and Dovecot's: `.dovecot-box-sync.lock` in a mailbox's index folder,
 * `.dovecot-sync.lock` in a user's home.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';

import { StoreError } from '../errors.ts';
import { takeFcntlLock } from './fcntl-lock.ts';
import { makeDirectories, nearest, ownershipOf } from './files.ts';

/** File name of a mailbox's lock. */
export const MAILBOX_LOCK = '.dovecot-box-sync.lock';
const USER_LOCK = '.dovecot-sync.lock';

/** Path of a user's lock. */
export const userLockIn = (home: string): string => join(home, USER_LOCK);

/** @throws {StoreError} `Locked` after `timeoutMs` */
export async function takeUserLock(home: string, timeoutMs: number): Promise<AsyncDisposable> {
  return await take(userLockIn(home), timeoutMs, `Couldn't lock ${USER_LOCK} in the user's home`);
}

/** @param path of the mailbox's lock @throws {StoreError} `Locked` after `timeoutMs` */
export async function takeMailboxLock(path: string, mailbox: string, timeoutMs: number): Promise<AsyncDisposable> {
  return await take(path, timeoutMs, `Failed to lock ${mailbox} for dsyncing`);
}

/** Removes the file that a killed run left, which would lie there until somebody wants the lock again. Costs one stat if there is none. */
export async function dropLeftSyncLock(path: string): Promise<void> {
  if (!fs.existsSync(path)) return;
  try {
    await using _lock = await take(path, 0, 'a lock that was left');
  } catch (cause) {
    // Somebody has it, or it cannot be removed: who needs it is told.
    if (!(cause instanceof StoreError)) throw cause;
  }
}

async function take(path: string, timeoutMs: number, failure: string): Promise<AsyncDisposable> {
  const folder = dirname(path);
  // An index folder that nobody has made yet: its owner has to be able to write to it.
  if (!fs.existsSync(folder)) makeDirectories(folder, ownershipOf(nearest(folder)));
  return await takeFcntlLock(path, { timeoutMs, failure, owner: ownershipOf(folder) });
}
