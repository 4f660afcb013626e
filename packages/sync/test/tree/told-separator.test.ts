import { describe, expect, test } from '@jest/globals';

import { nameHash } from '../../src/tree/name-hash.ts';
import { withSeparator } from '../../src/tree/told-names.ts';

const UNKNOWN = 'f'.repeat(32);
const told = {
  separator: '.',
  nodes: [],
  deletions: {
    mailboxes: [],
    directories: [
      { hash: nameHash(['a', 'b'], '.'), time: 7 },
      { hash: UNKNOWN, time: 8 },
    ],
    unsubscribes: [{ hash: nameHash(['Résumés', 'c'], '.'), time: 9 }],
    names: [
      ['a', 'b'],
      ['Résumés', 'c'],
    ],
  },
};

describe('a Dovecot with another separator is told of deletions', () => {
  test('by names with its own separator, and of those alone whose names are known', () => {
    expect(withSeparator(told, '/')).toEqual({
      separator: '/',
      nodes: [],
      deletions: {
        mailboxes: [],
        // SHA-1 of `a/b` and of `Résumés/c`.
        directories: [{ hash: '3ec69c85a4ff96830024afeef2d4e512', time: 7 }],
        unsubscribes: [{ hash: '15d3be808be5bbb7fd3038405772b4d7', time: 9 }],
      },
    });
  });

  test('as they are remembered where the separator is the same', () => {
    expect(withSeparator(told, '.')).toBe(told);
  });
});
