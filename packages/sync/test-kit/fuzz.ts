/** What reads a state of an earlier run, as a function of any bytes. */
import { deepStrictEqual } from 'node:assert/strict';
import { crc32 } from 'node:zlib';

import { parseSyncState, printSyncState } from '../src/state/state-string.ts';

/** Any bytes as the text of `-s`, in base64 and with a right sum too. */
export function fuzzState(input: Buffer): void {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(input));
  const texts = [
    input.toString('latin1'),
    input.toString('base64'),
    // With the right sum, which random bytes never have.
    Buffer.concat([input, sum]).toString('base64'),
    Buffer.concat([Buffer.of(1, 0, 0, 0), input.subarray(0, -1 * (input.length % 44))]).toString('base64'),
  ];
  for (const text of texts) {
    const parsed = parseSyncState(text);
    if (parsed.ok) deepStrictEqual(parseSyncState(printSyncState(parsed.state)), parsed);
    else if (parsed.reason.includes('\n')) throw new Error('the reason is no line');
  }
}
