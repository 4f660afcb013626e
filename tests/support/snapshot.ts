/** Everything below a folder, byte for byte. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** The journal is a cache of what else is there: it may learn something from a run that changes nothing. */
const JOURNAL = /(^|\/)dsync-journal/;

/** `PATH MODE DIGEST` of every file and folder; equal lists, nothing has changed. */
export function snapshotOf(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !JOURNAL.test(name))
    .map((name) => {
      const path = join(root, name);
      const stat = lstatSync(path);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`;
      if (stat.isDirectory()) return `${name}/ ${mode}`;
      return `${name} ${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    })
    .toSorted();
}
