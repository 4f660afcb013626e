/**
 * The fingerprint of a folder that we have just changed. The times of its directories are those of this tick of the
 * clock, and a change by somebody else in the same tick would leave them as they are. So they are set to times that
 * the clock has never shown and never will; whatever happens after that is seen.
 */
import fs from 'node:fs';

import { attempt } from './files.ts';
import type { Folder } from './folder.ts';

/** Beyond this, listing a folder to be sure costs more than the next look. */
const MAX_LISTED = 50_000;

/**
 * Empty if the folder does not hold exactly the mails at these places (by their base names): then it must be listed again.
 * The times that are set would hide what somebody else has done until now, a flag as well as a delivery.
 */
export function sealedFingerprint(folder: Folder, places: ReadonlyMap<string, string>): string {
  if (places.size > MAX_LISTED) return '';
  let text = '';
  attempt(() => {
    if (!setBack(folder.path('cur')) || !setBack(folder.path('new'))) return;
    const before = folder.stamp();
    if (!folder.holds(places)) return;
    if (folder.stamp().contents === before.contents) text = before.text;
  });
  return text;
}

/**
 * By a fraction of a millisecond, less than any clock's tick, so that programs that look for a later time see one.
 * False if the file system does not keep such times.
 */
function setBack(directory: string): boolean {
  const { mtimeNs } = fs.statSync(directory, { bigint: true });
  const microseconds = mtimeNs / 1000n - BigInt(100 + Math.floor(Math.random() * 800));
  // A whole millisecond is what a file system that keeps no more would show.
  const odd = microseconds % 1000n === 0n ? microseconds - 1n : microseconds;
  fs.utimesSync(directory, new Date(), Number(odd) / 1e6);
  const now = fs.statSync(directory, { bigint: true }).mtimeNs;
  return now !== mtimeNs && now % 1_000_000n !== 0n;
}
