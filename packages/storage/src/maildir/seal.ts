/**
 * The fingerprint of a folder that we have just changed. The times of its directories are those of this tick of the
 * clock, and a change by somebody else in the same tick would leave them as they are. So they are set to times that
 * the clock has never shown and never will; whatever happens after that is seen.
 */
import fs from 'node:fs';

import type { Folder, Stamp } from './folder.ts';

/** Beyond this, listing a folder to be sure costs more than the next look. */
const MAX_LISTED = 50_000;

/**
 * What the folder looks like from now on; null if it does not hold exactly the mails at these places (by their base
 * names): then it must be listed again. The times that are set would hide what somebody else has done until now, a flag
 * as well as a delivery.
 */
export function sealed(folder: Folder, places: ReadonlyMap<string, string>): Stamp | null {
  if (places.size > MAX_LISTED) return null;
  try {
    if (!setBack(folder.path('cur')) || !setBack(folder.path('new'))) return null;
    const stamp = folder.stamp();
    return folder.holds(places) && folder.stamp().contents === stamp.contents ? stamp : null;
  } catch {
    // What is wrong with it is told by the next look.
    return null;
  }
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
