import { closeSync, openSync, writeSync } from 'node:fs';

import type { Rawlog } from '@dsync/protocol';

/**
 * A raw log of one session: `PATH.in` has what was received, `PATH.out` what was sent. Nothing of a login is in it, as
 * it begins after the login. Readable by its owner alone, since mail is in it.
 */
export interface RawlogFile extends Rawlog, Disposable {}

/** @throws what the system says */
export function openRawlog(path: string): RawlogFile {
  const input = openSync(`${path}.in`, 'a', 0o600);
  const output = openSync(`${path}.out`, 'a', 0o600);
  let open = true;
  const write = (fd: number, bytes: Uint8Array): void => {
    if (open) writeSync(fd, bytes);
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
