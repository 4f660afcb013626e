import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { openLmdbJournal } from '../journal/lmdb-journal.ts';
import { setAside } from '../journal/set-aside.ts';
import { adopt, attempt, ownershipOf } from './files.ts';
import { JOURNAL_FILE } from './layout.ts';
import { throwAwayJournal } from './throw-away-journal.ts';

/**
 * The store's journal. One that is damaged is set aside, and the next comparison is a full one.
 * @param original the folder of the one that this is a throw-away copy of, for messages; null: it is no copy
 * @throws {StoreError} if a damaged one cannot be set aside; `Permission`, `DiskFull`, …
 */
export async function openJournal(
  journal: 'auto' | Journal,
  indexRoot: string,
  original: string | null,
  fsync: 'on' | 'off',
  warn: (message: string) => void,
): Promise<Journal> {
  const base = journal === 'auto' ? await openFile(indexRoot, original, fsync, warn) : journal;
  return fsync === 'on' ? base : throwAwayJournal(base);
}

async function openFile(
  folder: string,
  original: string | null,
  fsync: 'on' | 'off',
  warn: (message: string) => void,
): Promise<Journal> {
  const file = join(folder, JOURNAL_FILE);
  const owner = ownershipOf(folder);
  try {
    return await openOwned(file, fsync, owner);
  } catch (cause) {
    if (cause instanceof StoreError && cause.code === 'Permission') throw withRemedy(cause, owner.uid);
    if (!(cause instanceof StoreError && cause.code === 'Corrupt')) throw cause;
    const aside = setAside(file);
    if (original === null) warn(`${cause.message}; it is kept as ${aside}, the next comparison is a full one`);
    else warn(cause.message.replace(folder, original));
    return openOwned(file, fsync, owner);
  }
}

/** It is the first thing that a run writes to: whoever may not do that hears here what could be done. */
function withRemedy(error: StoreError, owner: number): StoreError {
  const remedy = isErrno(error.cause, 'EROFS')
    ? 'INDEX=FOLDER in the mail location, and CONTROL=FOLDER while mails have no UIDs, name other places to write to'
    : `the folder belongs to user ${owner}, and this process is user ${process.geteuid?.() ?? '?'}`;
  return new StoreError(error.code, `${error.message}; ${remedy}`, { cause: error.cause });
}

async function openOwned(file: string, fsync: 'on' | 'off', owner: ReturnType<typeof ownershipOf>): Promise<Journal> {
  const isNew = !fs.existsSync(file);
  const journal = await openLmdbJournal(file, { fsync });
  // As the mail's owner must be able to open it, too.
  if (isNew) for (const name of [file, `${file}-lock`]) attempt(() => adopt(name, owner, 'file'));
  return journal;
}
