/** Sets of UIDs as ranges, which a mailbox's UIDs mostly make few of. */
import type { UidRanges } from '@dsync/storage';

/** @param uids in any order */
export function rangesOf(uids: Iterable<number>): UidRanges {
  const ranges: [number, number][] = [];
  for (const uid of [...uids].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && uid <= last[1] + 1) last[1] = uid;
    else ranges.push([uid, uid]);
  }
  return ranges;
}

/** Binary search: ranges are ascending and do not touch. */
export function hasUid(ranges: UidRanges, uid: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.[1] ?? Infinity) < uid) low = middle + 1;
    else high = middle;
  }
  return (ranges[low]?.[0] ?? Infinity) <= uid;
}

/** All UIDs of both. */
export function unionOf(a: UidRanges, b: UidRanges): UidRanges {
  const ranges: [number, number][] = [];
  for (const [first, end] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const last = ranges.at(-1);
    if (last !== undefined && first <= last[1] + 1) last[1] = Math.max(last[1], end);
    else ranges.push([first, end]);
  }
  return ranges;
}

/** Whether both are the same set; each set has one form. */
export function sameRanges(a: UidRanges, b: UidRanges): boolean {
  return a.length === b.length && a.every(([first, last], i) => b[i]?.[0] === first && b[i]?.[1] === last);
}
