import { fc, test as prop } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import { mailboxGuid } from '@dsync/protocol';
import { parseSyncState, printSyncState, type SyncState } from '@dsync/sync';

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

  prop.prop([states])('comes back as it was', (state) => {
    expect(parseSyncState(printSyncState(state))).toEqual({ ok: true, state });
  });

  prop.prop([fc.string()])('any text is read or refused', (text) => {
    expect(typeof parseSyncState(text).ok).toBe('boolean');
  });
});
