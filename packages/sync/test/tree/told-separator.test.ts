import { mailboxGuid } from '@dsync/protocol';
import type { TreeNode, TreeSnapshot } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';

import { nameHash } from '../../src/tree/name-hash.ts';
import { inTheirSpelling } from '../../src/tree/their-names.ts';
import { withoutParents, withSeparator } from '../../src/tree/told-names.ts';

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
  },
};

const node = (...path: string[]): TreeNode => ({
  ...{ path, exists: false, renamedAt: 0, createdAt: 0, subscribed: false, subscriptionChangedAt: 0 },
});

const having = (separator: string, nodes: readonly TreeNode[]): TreeSnapshot => ({
  ...{ separator, nodes, deletions: { mailboxes: [], directories: [], unsubscribes: [] } },
});

describe('a Dovecot with another separator is told of deletions', () => {
  test('by names with its own separator, and of those alone that it has', () => {
    const receiver = having('/', [node('a', 'b', 'below'), node('Résumés', 'c'), node('other')]);
    expect(withSeparator(told, receiver, '_')).toEqual({
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

  test('by the name that it has where dsync can only have another', () => {
    const dotted = {
      ...told,
      deletions: { ...told.deletions, directories: [{ hash: nameHash(['a_b', 'c'], '.'), time: 7 }] },
    };
    expect(withSeparator(dotted, having('/', [node('a.b', 'c')]), '_').deletions.directories).toEqual([
      // SHA-1 of `a.b/c`.
      { hash: '3f23e966f96d285db4cc5b41f7074242', time: 7 },
    ]);
  });

  test('as they are remembered where the separator is the same', () => {
    expect(withSeparator(told, having('.', []), '_')).toBe(told);
  });
});

test('a Dovecot is told of a directory that holds a mailbox as of a name that does not exist', () => {
  const mailbox = { guid: mailboxGuid('a1'.padStart(32, '0')), uidValidity: 7, uidNext: 1, messages: 0 };
  const box = (...path: string[]): TreeNode => ({
    ...{ ...node(...path), exists: true },
    mailbox: { ...mailbox, highestModseq: 1n, firstRecentUid: 0, digest: '' },
  });
  const directory = (...path: string[]): TreeNode => ({ ...node(...path), exists: true });
  const tree = having('/', [
    directory('a'),
    directory('a', 'b'),
    box('a', 'b', 'c'),
    directory('d'),
    box('e'),
    box('e', 'f'),
  ]);
  expect(withoutParents(tree).nodes.map(({ path, exists }) => `${path.join('/')} ${exists}`)).toEqual([
    'a false',
    'a/b false',
    'a/b/c true',
    'd true',
    'e true',
    'e/f true',
  ]);
});

describe('a Dovecot with another separator is told of what it has by its own names', () => {
  const box = (guid: string, ...path: string[]): TreeNode => ({
    ...{ ...node(...path), exists: true },
    mailbox: {
      ...{ guid: mailboxGuid(guid.padStart(32, '0')), uidValidity: 7, uidNext: 1, messages: 0 },
      ...{ highestModseq: 1n, firstRecentUid: 0, digest: '' },
    },
  });
  const namesTold = (own: readonly TreeNode[], theirs: readonly TreeNode[]): string[] =>
    inTheirSpelling(having('.', own), having('/', theirs), {
      ...{ mode: 'two-way', source: 'local', altChar: '_' },
    }).nodes.map(({ path }) => path.join('/'));

  test.each<[string, readonly TreeNode[], readonly TreeNode[], readonly string[]]>([
    ['a mailbox', [box('a1', 'x_y')], [box('a1', 'x.y')], ['x.y']],
    ['one below it', [box('a1', 'x_y', 'z')], [box('a1', 'x.y', 'z')], ['x.y/z']],
    ['a new one below it', [box('a2', 'x_y', 'new')], [box('a1', 'x.y', 'z')], ['x.y/new']],
    ['a subscription', [node('x_y')], [node('x.y')], ['x.y']],
    ['another mailbox', [box('a2', 'x_y'), box('a3', 'x_y', 'z')], [box('a1', 'x.y')], ['x.y', 'x.y/z']],
    ['one of two', [box('a1', 'x_y')], [box('a1', 'x.y'), box('a2', 'x_y')], ['x.y']],
    ['what it does not have', [box('a2', 'x_y')], [box('a1', 'other')], ['x_y']],
  ])('%s', (_, own, theirs, names) => {
    expect(namesTold(own, theirs)).toEqual(names);
  });
});
