import fs from 'node:fs';

import { StoreError } from '../errors.ts';

/**
 * Takes a damaged journal out of the way; without one the next run compares everything.
 * @returns where it is now
 * @throws {StoreError}
 */
export function setAside(file: string): string {
  const aside = `${file}.damaged`;
  try {
    fs.renameSync(file, aside);
    fs.rmSync(`${file}-lock`, { force: true });
  } catch (cause) {
    throw StoreError.from(cause, `cannot set the damaged journal ${file} aside`);
  }
  return aside;
}
