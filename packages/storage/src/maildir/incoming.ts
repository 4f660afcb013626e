/** Bytes of a new mail, on their way into tmp/. */
import fs from 'node:fs';

import type { Body } from '@dsync/protocol';

import { adopt, attempt, writeAll, type Ownership } from './files.ts';
import { SizeCounter } from './virtual-size.ts';

/** Bytes of a mail as it is stored, and with CRLF line ends. */
export interface Written {
  readonly physicalSize: number;
  readonly virtualSize: number;
}

/** A file that is to be made. */
export interface NewFile {
  readonly path: string;
  /** Its mtime, Unix seconds. */
  readonly received: number;
  readonly owner: Ownership;
}

/** The size of a body that is there whole, counted before it is written. */
export function measure(body: Uint8Array): Written {
  const counter = new SizeCounter();
  counter.add(body);
  return { physicalSize: counter.physical, virtualSize: counter.virtual };
}

/**
 * Writes a whole body to a new file, with its received date.
 * @param isFirst whether its owner and mode must be looked at
 * @returns whether those were right by themselves
 * @throws what the system throws; then there is no file
 */
export function writeWhole({ path, received, owner }: NewFile, body: Uint8Array, isFirst: boolean): boolean {
  const fd = fs.openSync(path, 'wx', owner.fileMode);
  try {
    writeAll(fd, body, null);
    const wasRight = !isFirst || adopt(fd, owner, 'file');
    fs.futimesSync(fd, received, received);
    return wasRight;
  } catch (cause) {
    attempt(() => fs.rmSync(path, { force: true }));
    throw cause;
  } finally {
    fs.closeSync(fd);
  }
}

/** The same for a body that comes piece by piece. @throws also what reading `body` throws */
export async function writeStream(
  { path, received, owner }: NewFile,
  body: Exclude<Body, Uint8Array>,
): Promise<Written> {
  const counter = new SizeCounter();
  const fd = fs.openSync(path, 'wx', owner.fileMode);
  try {
    for await (const piece of body) {
      counter.add(piece);
      writeAll(fd, piece, null);
    }
    adopt(fd, owner, 'file');
    fs.futimesSync(fd, received, received);
  } catch (cause) {
    attempt(() => fs.rmSync(path, { force: true }));
    throw cause;
  } finally {
    fs.closeSync(fd);
  }
  return { physicalSize: counter.physical, virtualSize: counter.virtual };
}
