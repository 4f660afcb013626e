/** Whether mails that a listing lacks are gone. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { JournalMail } from '../journal/journal.ts';
import { parseFileName } from './file-name.ts';
import { isSettled, type Folder, type FoundMail } from './folder.ts';
import { baseOf } from './mail-identity.ts';
import type { View } from './view.ts';

/** How often a folder that others are busy in is listed again. */
const MAX_LISTINGS = 40;
const RELIST_MS = 15;

/**
 * A listing can miss a mail that is being renamed. It counts as gone if two listings miss it between which the
 * directories did not change; one that cannot be settled stays as it was.
 * @returns the files, and whether they are the folder's as the view's stamp says
 */
export async function confirmExpunges(
  folder: Folder,
  view: View,
  remembered: readonly JournalMail[],
): Promise<{ readonly files: ReadonlyMap<string, FoundMail>; readonly settled: boolean }> {
  let files: ReadonlyMap<string, FoundMail> = view.files;
  let before = view.stamp;
  let missing = remembered.filter((mail) => !files.has(baseOf(mail)));
  for (let i = 0; missing.length > 0 && i < MAX_LISTINGS; i++) {
    if (!isSettled(before, Date.now())) await sleep(RELIST_MS);
    before = folder.stamp();
    const isStill = isSettled(before, Date.now());
    files = folder.list();
    const after = folder.stamp();
    const still = remembered.filter((mail) => !files.has(baseOf(mail)));
    const same = isStill && after.contents === before.contents;
    if (same && still.every((mail) => missing.includes(mail)))
      return { files, settled: before.contents === view.stamp.contents };
    missing = still;
  }
  if (missing.length === 0) return { files, settled: files === view.files };
  const kept = new Map(files);
  for (const mail of missing) {
    const parsed = parseFileName(mail.name.slice(4));
    if (parsed !== null) kept.set(parsed.base, { ...parsed, at: mail.name });
  }
  return { files: kept, settled: false };
}
