/** A mail's bytes as they lie in its file. */
import fs from 'node:fs';

import { StoreError } from '../errors.ts';
import type { MailContent } from '../mail-store.ts';
import { isErrno } from './dotlock.ts';
import { sizeIn } from './file-name.ts';
import { SizeCounter } from './virtual-size.ts';

const CHUNK = 64 * 1024;
const SLAB = 256 * 1024;

/** null if there is no such file. A mail that is expunged while it is open can be read to its end. @throws {StoreError} */
export function openContent(path: string): MailContent | null {
  let fd: number;
  try {
    fd = fs.openSync(path, 'r');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return null;
    throw StoreError.from(cause, `cannot read ${path}`);
  }
  let open = true;
  const close = async (): Promise<void> => {
    if (open) fs.closeSync(fd);
    open = false;
  };
  try {
    const { mtimeMs, ctimeMs, size } = fs.fstatSync(fd);
    const dates = { received: Math.floor(mtimeMs / 1000), saved: Math.floor(ctimeMs / 1000) };
    if (size > CHUNK) return { ...dates, body: chunks(fd, path), [Symbol.asyncDispose]: close };
    const bytes = space(size);
    let length = 0;
    for (let n = -1; n !== 0 && length < size; length += n) n = fs.readSync(fd, bytes, length, size - length, length);
    void close();
    return { ...dates, body: bytes.subarray(0, length), [Symbol.asyncDispose]: close };
  } catch (cause) {
    void close();
    throw StoreError.from(cause, `cannot read ${path}`);
  }
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
  const fd = fs.openSync(path, 'r');
  try {
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
