import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { fc, test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import { mailboxGuid } from '@dsync/protocol';
import { parseSyncState, printSyncState, type SyncState } from '@dsync/sync';

import { describeWith, sharedFolder } from '../../../../tests/support/needs.ts';

const EMPTY = 'AQAAAHm4+Jk=';

const states = fc
  .dictionary(
    fc.stringMatching(/^[1-9a-f][0-9a-f]{31}$/),
    fc.record({
      uidValidity: fc.nat({ max: 0xffffffff }),
      lastCommonUid: fc.nat({ max: 0xffffffff }),
      lastCommonModseq: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      lastCommonPrivateModseq: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      messages: fc.nat({ max: 0xffffffff }),
    }),
  )
  .map((entries): SyncState => new Map(Object.entries(entries).map(([guid, state]) => [mailboxGuid(guid), state])));

describe('the state that is printed and given to the next run', () => {
  test('is the text that Dovecot prints for no mailbox', () => {
    expect(printSyncState(new Map())).toBe(EMPTY);
    expect(parseSyncState(EMPTY)).toEqual({ ok: true, state: new Map() });
  });

  test.each([
    ['!!!notbase64', 'Invalid base64 data'],
    ['AAEC', 'Input too small'],
    ['AQAAAHm4+JkAAAAA', 'Invalid input size'],
    ['AQAAAHm4+Jg=', 'CRC32 mismatch'],
  ])('%s cannot be read: %s', (text, reason) => {
    expect(parseSyncState(text)).toEqual({ ok: false, reason });
  });

  test('four zero bytes say nothing of any mailbox', () => {
    expect(parseSyncState('AAAAAA==')).toEqual({ ok: true, state: new Map() });
  });

  property.prop([states])('comes back as it was', (state) => {
    expect(parseSyncState(printSyncState(state))).toEqual({ ok: true, state });
  });

  property.prop([fc.string()])('any text is read or refused', (text) => {
    expect(typeof parseSyncState(text).ok).toBe('boolean');
  });
});

describe('texts that are no states of today', () => {
  test.each([
    [1, Buffer.alloc(40, 0x11)],
    // As long as 9 records of today with their header.
    [10, Buffer.alloc(400, 0x11)],
  ])('%s records of an old Dovecot say nothing', (_, records) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(records));
    expect(parseSyncState(Buffer.concat([records, sum]).toString('base64'))).toEqual({ ok: true, state: new Map() });
  });
});

const VECTORS = join(sharedFolder, 'vectors/dovecot-2.3.19');
const RUNS = [
  '01-first-sync',
  '02-backup',
  '04-stateful-noop',
  '05-incremental',
  '11-attributes',
  '12-attributes-delete',
  '13-stateful-remote-only-change',
];

describeWith(['captures'], 'states that Dovecot 2.3.19 printed', () => {
  test.each(RUNS)('%s is read, and printed again to the letter', (run) => {
    const text = readFileSync(join(VECTORS, run, 'state-out.txt'), 'latin1').trim();
    const parsed = parseSyncState(text);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.state.size).toBeGreaterThan(0);
    expect(printSyncState(parsed.state)).toBe(text);
  });

  test('the first run has INBOX with its UIDVALIDITY, six mails and modseq 1', () => {
    const parsed = parseSyncState(readFileSync(join(VECTORS, '01-first-sync/state-out.txt'), 'latin1').trim());
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.state.get(mailboxGuid('eb565e30b878046b780200003db85ab9'))).toEqual({
      uidValidity: 0x6b0478bb,
      lastCommonUid: 6,
      lastCommonModseq: 1n,
      lastCommonPrivateModseq: 0n,
      messages: 6,
    });
  });
});
