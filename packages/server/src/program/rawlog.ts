import { closeSync, openSync, writeSync } from 'node:fs';

import { asError, type Rawlog } from '@dsync/protocol';

/**
 * A raw log of one session: `PATH.in` has what was received, `PATH.out` what was sent. Nothing of a login is in it, as
 * it begins after the login. Readable by its owner alone, since mail is in it.
 */
export interface RawlogFile extends Rawlog, Disposable {}

/** A raw log that cannot be written; without it nothing begins. */
export class RawlogError extends Error {
  override readonly name = 'RawlogError';
  readonly code: string;
  readonly exit: number;

  /** @param otherwise the exit status, if it is no missing permission */
  constructor(cause: unknown, otherwise: 64 | 75) {
    super(`cannot write the raw log: ${asError(cause).message}`, { cause });
    this.code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'Rawlog';
    this.exit = ['EACCES', 'EPERM', 'EROFS'].includes(this.code) ? 77 : otherwise;
  }
}

/** @throws {RawlogError} 64 for a place where no file can be, 77 for one that this process may not write to */
export function openRawlog(path: string): RawlogFile {
  const input = create(`${path}.in`);
  const output = create(`${path}.out`);
  let open = true;
  const write = (fd: number, bytes: Uint8Array): void => {
    if (!open) return;
    try {
      writeSync(fd, bytes);
    } catch (cause) {
      // A full disk, most likely.
      throw new RawlogError(cause, 75);
    }
  };
  return {
    in: (bytes) => write(input, bytes),
    out: (bytes) => write(output, bytes),
    [Symbol.dispose]: () => {
      if (!open) return;
      open = false;
      closeSync(input);
      closeSync(output);
    },
  };
}

function create(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new RawlogError(cause, 64);
  }
}
