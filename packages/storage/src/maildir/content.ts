/** A mail's bytes as they lie in its file. */
import fs from 'node:fs';

import type { Body } from '@dsync/protocol';

import { isErrno, StoreError } from '../errors.ts';
import type { MailContent } from '../mail-store.ts';
import { mustUnpack, type ReadAt, unpacked, unpackWhole } from './compressed.ts';
import { sizeIn } from './file-name.ts';
import type { Pop3Note } from './pop3-notes.ts';
import { SizeCounter } from './virtual-size.ts';

const CHUNK = 64 * 1024;
const SLAB = 256 * 1024;

/** A mail that was found; of a large one the file stays open until it is disposed. */
class FoundContent implements MailContent {
  readonly received: number;
  readonly saved: number;
  readonly body: Body;
  declare readonly pop3Uidl?: string;
  declare readonly pop3Order?: number;
  #fd: number | null;

  constructor({ mtimeMs, ctimeMs }: fs.Stats, body: Body, note: Pop3Note, fd: number | null) {
    this.received = Math.floor(mtimeMs / 1000);
    this.saved = Math.floor(ctimeMs / 1000);
    this.body = body;
    if (note.pop3Uidl !== undefined) this.pop3Uidl = note.pop3Uidl;
    if (note.pop3Order !== undefined) this.pop3Order = note.pop3Order;
    this.#fd = fd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#fd !== null) fs.closeSync(this.#fd);
    this.#fd = null;
  }
}

/**
 * null if there is no such file. A mail that is expunged while it is open can be read to its end.
 * @throws {StoreError}
 */
export function openContent(path: string, base: string, note: Pop3Note): MailContent | null {
  let opened: OpenedMail;
  try {
    opened = openMail(path);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return null;
    throw StoreError.from(cause, `cannot read ${path}`);
  }
  const { fd, stat } = opened;
  let stays = false;
  try {
    const whole = stat.size > CHUNK ? null : readWhole(fd, stat.size);
    const read: ReadAt = whole === null ? readFrom(fd) : (at, length) => whole.subarray(at, at + length);
    const isPacked = mustUnpack(path, base, whole?.length ?? stat.size, read);
    if (whole !== null && !isPacked) return new FoundContent(stat, whole, note, null);
    stays = true;
    const body = chunks(fd, path);
    return new FoundContent(stat, isPacked ? unpacked(body, path) : body, note, fd);
  } catch (cause) {
    throw StoreError.from(cause, `cannot read ${path}`);
  } finally {
    if (!stays) fs.closeSync(fd);
  }
}

interface OpenedMail {
  readonly fd: number;
  readonly stat: fs.Stats;
}

/** @throws {StoreError} if it is no file: to open a pipe that nobody writes to would take for ever; and what the system throws */
function openMail(path: string): OpenedMail {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  fs.closeSync(fd);
  throw new StoreError('Temporary', `${path} is no mail but a pipe or a device: remove it`);
}

function readFrom(fd: number): ReadAt {
  return (at, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, at));
  };
}

function readWhole(fd: number, size: number): Buffer {
  const bytes = space(size);
  let length = 0;
  for (let n = -1; n !== 0 && length < size; length += n) n = fs.readSync(fd, bytes, length, size - length, length);
  return length === size ? bytes : bytes.subarray(0, length);
}

let slab = Buffer.alloc(0);

/** Many small mails in one piece of memory: a piece for each costs more to give back than to fill. */
function space(size: number): Buffer {
  if (slab.length < size) slab = Buffer.allocUnsafeSlow(SLAB);
  const bytes = slab.subarray(0, size);
  slab = slab.subarray(size);
  return bytes;
}

/** By the file's name, or by what the uidlist notes besides; else counted. @throws what the system throws */
export function virtualSizeOf(path: string, base: string, fields: string): number {
  const known = sizeIn(base, 'W');
  if (known !== null) return known;
  const noted = /(?:^| )W(\d{1,15})(?: |$)/.exec(fields);
  if (noted !== null) return Number(noted[1]);
  const counter = new SizeCounter();
  const { fd, stat } = openMail(path);
  try {
    if (mustUnpack(path, base, stat.size, readFrom(fd))) {
      counter.add(unpackWhole(fs.readFileSync(fd), path));
      return counter.virtual;
    }
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let n = fs.readSync(fd, buffer); n > 0; n = fs.readSync(fd, buffer)) counter.add(buffer.subarray(0, n));
  } finally {
    fs.closeSync(fd);
  }
  return counter.virtual;
}

async function* chunks(fd: number, path: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; ;) {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let n: number;
    try {
      n = fs.readSync(fd, buffer, 0, CHUNK, at);
    } catch (cause) {
      throw StoreError.from(cause, `cannot read ${path}`);
    }
    if (n === 0) return;
    at += n;
    yield buffer.subarray(0, n);
  }
}
