/**
 * A file beside the journal while a process has it open. One that a dead process left says that the process was killed, or
 * that reading the journal has ended it: lmdb believes what it finds in its pages, and a flipped bit there can end the
 * whole process. So such a journal is first read by a process that may come to that end.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';

import { isAlive } from '../dotlock.ts';

const MODE = 0o644;
const CHECK_MS = 120_000;

/** Marks of this process, so that one that an earlier process with our number left is known as such. */
const ours = new Set<string>();

/** This process's mark. */
export interface UseMark {
  /** A process that is gone had it open. */
  readonly left: boolean;
  release(): void;
}

/** A mark that cannot be made is done without. */
export function markInUse(journal: string): UseMark {
  const mark = `${journal}-open`;
  if (ours.has(mark)) return NO_MARK;
  const left = isLeft(mark);
  // Another process has marked it, which is enough: if both end badly, a later one of us tells.
  if (left === null) return NO_MARK;
  try {
    if (left) fs.rmSync(mark, { force: true });
    fs.writeFileSync(mark, String(process.pid), { flag: 'wx', mode: MODE });
  } catch {
    return { left, release: () => {} };
  }
  ours.add(mark);
  return {
    left,
    release: () => {
      if (ours.delete(mark)) fs.rmSync(mark, { force: true });
    },
  };
}

const NO_MARK: UseMark = { left: false, release: () => {} };

/** Whether a dead process left it; null: a live one has it. */
function isLeft(mark: string): boolean | null {
  if (!fs.existsSync(mark)) return false;
  let text: string;
  try {
    text = fs.readFileSync(mark, 'latin1');
  } catch {
    return false;
  }
  const pid = Number(text);
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return true;
  return isAlive(pid) ? null : true;
}

/**
 * All rows are there, have their sums (row.ts) and are found in either direction; some, of a large journal, are
 * looked up by their keys and written again in a transaction that comes to nothing.
 *
 * It ends itself without closing the journal: its parent may be dead, and then closing is nobody's turn (turn.ts).
 */
const CHECK = `
const [lmdb, file] = process.argv.slice(1);
const { open, ABORT } = require(lmdb);
const { crc32 } = require('node:zlib');
const end = () => process.kill(process.pid, 'SIGKILL');
process.on('uncaughtException', end);
const db = open(file, { noSubdir: true, encoding: 'binary', keyEncoding: 'binary', cache: false, maxDbs: 1, overlappingSync: false, noSync: true });
const must = (right) => right || end();
const { entryCount } = db.getStats();
const step = Math.ceil(entryCount / 5000);
const some = [];
let count = 0;
for (const { key, value } of db.getRange({})) {
  must(key[0] === 1 || crc32(value.subarray(0, -4), crc32(key)) === value.readUInt32LE(value.length - 4));
  if (count++ % step === 0) some.push([Buffer.from(key), Buffer.from(value)]);
}
must(count === entryCount);
for (const key of db.getKeys({ reverse: true })) must(--count >= 0 && (count % step !== 0 || key.equals(some[count / step][0])));
must(count === 0);
for (const [key, value] of some) must(db.get(key)?.equals(value));
db.transactionSync(() => {
  for (const [key, value] of some) db.putSync(key, Buffer.concat([value, value]));
  for (const [key] of some) db.removeSync(key);
  db.putSync(Buffer.from([255]), Buffer.alloc(100000));
  return ABORT;
});
process.stdout.write('sound', end);
`;

/** Whether a process of its own can read all of the journal. True as well if that cannot be tried. */
export async function canBeRead(journal: string): Promise<boolean> {
  const { spawn } = await import('node:child_process');
  const lmdb = createRequire(import.meta.url).resolve('lmdb');
  return await new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', CHECK, lmdb, journal], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: CHECK_MS,
      env: {},
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    child.once('error', () => resolve(true));
    child.once('close', () => resolve(said === 'sound'));
  });
}
