import { describe, expect, test } from '@jest/globals';

import { compareBytes, guid128 } from '@dsync/protocol';

describe('GUIDs in 128 bits', () => {
  test('a Maildir GUID is shortened to the last 16 bytes of its SHA-1, as Dovecot does', () => {
    expect(guid128('1700000002.M2P1.host.example.test')).toBe('e6803d7d99113a62d0278e9f9cc06adb');
  });
  test('32 hex digits are kept, in lower case', () => {
    expect(guid128('AABBCCDDEEFF00112233445566778899')).toBe('aabbccddeeff00112233445566778899');
  });
});

describe('order of names', () => {
  test.each([
    ['a', 'b', -1],
    ['b', 'a', 1],
    ['a', 'a', 0],
    ['a', 'ab', -1],
    ['\u{1f600}', '\uffee', 1],
  ])('%s against %s', (a, b, sign) => {
    expect(Math.sign(compareBytes(a, b))).toBe(sign);
  });
});
