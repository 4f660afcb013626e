/** The journal's file: damage is told and never ends the process; several processes share it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { open as openLmdb } from 'lmdb';

import { StoreError } from '@dsync/storage';

import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';
import { box, headOf } from './rows.ts';

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const WRITER = fileURLToPath(new URL('journal-writer.ts', import.meta.url));
const OPENER = fileURLToPath(new URL('journal-opener.ts', import.meta.url));
const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) fs.rmSync(home, { recursive: true, force: true });
});

function newFile(): string {
  const home = fs.mkdtempSync(join(tmpdir(), 'dsync-journal-'));
  homes.push(home);
  return join(home, 'journal');
}

function writer(file: string, first: number, count: number): ChildProcess {
  return spawn(process.execPath, ['--import', TSX, WRITER, file, String(first), String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The bytes of a journal with a few mailboxes. */
async function sample(): Promise<Buffer> {
  const file = newFile();
  const journal = await openLmdbJournal(file, { fsync: 'off' });
  for (let n = 1; n < 40; n++) {
    await journal.write([
      { head: headOf(n, { path: ['x'], uidValidity: 1, uidNext: 1, fingerprint: 'f'.repeat(300) }) },
    ]);
  }
  await journal[Symbol.asyncDispose]();
  return fs.readFileSync(file);
}

function expectOneLineAbout(file: string, { message }: Error): void {
  expect(message).toContain(file);
  expect(message).not.toContain('\n');
}

/** Opens and reads a file with these bytes; the code of the error, if there is one. */
async function outcome(bytes: Uint8Array): Promise<string> {
  const file = newFile();
  fs.writeFileSync(file, bytes);
  try {
    await using journal = await openLmdbJournal(file, { fsync: 'off' });
    return `${journal.heads().size} heads`;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expectOneLineAbout(file, error);
    return error.code;
  }
}

test.each([
  ['text', Buffer.from('this is no journal at all')],
  ['zeros', Buffer.alloc(100_000)],
  ['random bytes', randomBytes(50_000)],
  ['one byte', Buffer.from('x')],
])('a file of %s is refused', async (_, bytes) => {
  expect(await outcome(bytes)).toBe('Corrupt');
});

test('an empty file becomes an empty journal', async () => {
  expect(await outcome(Buffer.alloc(0))).toBe('0 heads');
});

test('a directory in its place is refused', async () => {
  const file = newFile();
  fs.mkdirSync(file);
  await expect(openLmdbJournal(file, { fsync: 'on' })).rejects.toMatchObject({ name: 'StoreError', code: 'Corrupt' });
});

test('a journal cut short anywhere is refused', async () => {
  const bytes = await sample();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: bytes.length - 1 }), async (length) => {
      expect(await outcome(bytes.subarray(0, length))).toBe('Corrupt');
    }),
    { numRuns: 60 },
  );
}, 30_000);

test('a header with flipped bits is refused or read as it was, and never ends the process', async () => {
  const bytes = await sample();
  const flip = fc.record({ page: fc.constantFrom(0, 4096), at: fc.nat(175), bit: fc.nat(7) });
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 6 }), async (flips) => {
      const damaged = Buffer.from(bytes);
      for (const { page, at, bit } of flips) damaged[page + at] = (damaged[page + at] ?? 0) ^ (1 << bit);
      expect(['Corrupt', '39 heads']).toContain(await outcome(damaged));
    }),
    { numRuns: 150 },
  );
}, 30_000);

test('a file that lmdb wrote for somebody else, or another version of ours, is refused', async () => {
  const file = newFile();
  const options = { noSubdir: true, encoding: 'binary', keyEncoding: 'binary', overlappingSync: false } as const;
  const write = async (key: Buffer, value: string): Promise<void> => {
    const db = openLmdb<Buffer, Buffer>(file, options);
    db.putSync(key, Buffer.from(value));
    await db.close();
  };
  await write(Buffer.from('theirs'), 'data');
  await expect(openLmdbJournal(file, { fsync: 'on' })).rejects.toMatchObject({ code: 'Corrupt' });
  await write(Buffer.from([1]), 'dsync journal 2');
  await expect(openLmdbJournal(file, { fsync: 'on' })).rejects.toMatchObject({
    code: 'Corrupt',
    message: expect.stringContaining('another version'),
  });
});

test('a row that cannot be read is told as damage', async () => {
  const file = newFile();
  await (await openLmdbJournal(file, { fsync: 'off' }))[Symbol.asyncDispose]();
  const db = openLmdb<Buffer, Buffer>(file, {
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
  });
  db.putSync(Buffer.concat([Buffer.from([2]), Buffer.from(box(1), 'hex')]), Buffer.from([1, 200]));
  await db.close();
  await using journal = await openLmdbJournal(file, { fsync: 'on' });
  expect(() => journal.heads()).toThrow(StoreError);
  expect(() => journal.head(box(1))).toThrow(/journal .* is damaged/);
});

test('a row with a flipped bit is told, and the next one begins anew', async () => {
  const file = newFile();
  const bytes = await sample();
  // In the fingerprint of the third mailbox.
  const at = bytes.indexOf('f'.repeat(300), bytes.indexOf(Buffer.from(box(3), 'hex')));
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  fs.writeFileSync(file, bytes);
  {
    await using journal = await openLmdbJournal(file, { fsync: 'on' });
    expect(() => journal.heads()).toThrow(expect.objectContaining({ code: 'Corrupt' }));
  }
  expect(fs.existsSync(`${file}.damaged`)).toBe(true);
  await using journal = await openLmdbJournal(file, { fsync: 'on' });
  expect(journal.heads().size).toBe(0);
});

/** A process that has come to its end. */
const DEAD = String(spawnSync(process.execPath, ['-e', '']).pid);

test('what a process that was ended had open is read by another one first', async () => {
  const file = newFile();
  fs.writeFileSync(file, await sample());
  fs.writeFileSync(`${file}-open`, DEAD);
  await using journal = await openLmdbJournal(file, { fsync: 'on' });
  expect(journal.heads().size).toBe(39);
  expect(fs.readFileSync(`${file}-open`, 'utf8')).toBe(String(process.pid));
});

test('a page that ends the process which reads it ends no second one', async () => {
  const bytes = await sample();
  // Every row of every page that holds rows lies where nothing is.
  for (const page of leaves(bytes)) bytes.fill(0xff, page * PAGE + 24, page * PAGE + 80);
  const file = newFile();
  fs.writeFileSync(file, bytes);
  fs.writeFileSync(`${file}-open`, DEAD);
  await expect(openLmdbJournal(file, { fsync: 'on' })).rejects.toMatchObject({ code: 'Corrupt' });
  expect(fs.existsSync(`${file}-open`)).toBe(false);
});

const PAGE = 4096;

/** Pages that hold rows, in use or not (lmdb-header.ts). */
function leaves(bytes: Buffer): readonly number[] {
  const pages = Array.from({ length: bytes.length / PAGE }, (_, page) => page);
  return pages.filter((page) => page > 1 && bytes.readUInt16LE(page * PAGE + 18) === LEAF);
}

const LEAF = 2;

test('two processes write at once, and the file grows under both', async () => {
  const file = newFile();
  const children = [writer(file, 1, 40), writer(file, 1001, 40)];
  await using journal = await openLmdbJournal(file, { fsync: 'on' });
  journal.heads();
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(ends.map(([status]): unknown => status)).toEqual([0, 0]);
  expect(journal.heads().size).toBe(80);
  for (const n of [1, 40, 1001, 1040]) expect(journal.mails(box(n))).toHaveLength(200);
}, 60_000);

test('what a killed process had written is whole, and others go on', async () => {
  const file = newFile();
  const child = writer(file, 1, 10_000);
  let last = 0;
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line) || 0;
    if (last === 25) child.kill('SIGKILL');
  }
  await using journal = await openLmdbJournal(file, { fsync: 'on' });
  const heads = [...journal.heads().values()];
  expect(heads.length).toBeGreaterThanOrEqual(last);
  for (const head of heads) expect(journal.mails(head.guid)).toHaveLength(head.messages);
  await journal.dropMailbox(box(1), 5);
  expect(journal.heads().size).toBe(heads.length - 1);
}, 60_000);

test('processes that open it while others close it do not harm each other', async () => {
  const file = newFile();
  const openers = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--import', TSX, OPENER, file, '400'], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const said = await Promise.all(openers.map(async ({ stdout }) => (await stdout.toArray()).join('')));
  expect(said).toEqual(['', '', '']);
}, 60_000);
