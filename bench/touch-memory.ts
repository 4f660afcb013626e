/**
 * A virtual machine may get a page of memory from its host only when it is first touched, which can cost more than writing
 * the page. Whoever is measured first would pay for that, so it is done before: a server in use has it behind it.
 */
import { readFileSync } from 'node:fs';

import { mustRun } from '../tests/peers/rig/processes.ts';

const GIB = 2 ** 30;
/** More than all copies of a benchmark of full size together take in the page cache. */
const MOST_GIB = 12;
/** What is left to others. */
const SPARE_GIB = 2;

/**
 * Touches memory that is free, and frees it again. Does nothing where the system does not say how much is free.
 * @param scale 1: for the full size
 */
export const touchMemory = async (scale: number): Promise<void> => {
  const gib = Math.min(Math.ceil(MOST_GIB * scale), Math.floor(freeBytes() / GIB) - SPARE_GIB);
  if (gib <= 0) return;
  const script = `const held = []; while (held.length < ${gib}) held.push(Buffer.alloc(${GIB}, 1));`;
  await mustRun(process.execPath, ['-e', script]);
};

/** Free in the narrow sense: what the page cache holds has been touched. */
const freeBytes = (): number => {
  try {
    return Number(/MemFree:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
};
