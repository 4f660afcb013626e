import { describe, expect, test } from '@jest/globals';

import { commonState, isUnchanged, type MailboxSyncState } from '@dsync/sync';

const STATE: MailboxSyncState = {
  uidValidity: 7,
  lastCommonUid: 9,
  lastCommonModseq: 5n,
  lastCommonPrivateModseq: 0n,
  messages: 3,
};
const NUMBERS = { uidValidity: 7, uidNext: 10, messages: 3, highestModseq: 5n };

describe('a mailbox against its state', () => {
  test('is unchanged while all numbers agree', () => {
    expect(isUnchanged(STATE, NUMBERS)).toBe(true);
  });

  test.each([
    ['a new mail', { uidNext: 11, messages: 4 }],
    ['an expunge', { messages: 2 }],
    ['a flag', { highestModseq: 6n }],
    ['a UIDVALIDITY', { uidValidity: 8 }],
    ['a mail come and gone', { uidNext: 11 }],
  ])('is changed by %s', (_, numbers) => {
    expect(isUnchanged(STATE, { ...NUMBERS, ...numbers })).toBe(false);
  });

  test('a state without common UID tells nothing, not even of an empty mailbox', () => {
    const nothing = { ...STATE, lastCommonUid: 0, lastCommonModseq: 1n, messages: 0 };
    expect(isUnchanged(nothing, { uidValidity: 7, uidNext: 1, messages: 0, highestModseq: 1n })).toBe(false);
  });
});

describe('the state of both sides', () => {
  test('has the lower values', () => {
    expect(commonState(STATE, { ...STATE, lastCommonUid: 8, lastCommonModseq: 6n })).toEqual({
      ...STATE,
      lastCommonUid: 8,
    });
  });

  test('is none where the UIDVALIDITY differs', () => {
    expect(commonState(STATE, { ...STATE, uidValidity: 8 })).toBeNull();
  });
});
