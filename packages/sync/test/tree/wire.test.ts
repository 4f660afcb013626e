import { test as property } from '@fast-check/jest';
import { mailboxGuid, type Conversation, type Message, type Received } from '@dsync/protocol';
import type { TreeSnapshot } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';
import { receiveTree, treeMessages } from '@dsync/sync';

import { encodeNames, replaceCodes } from '../../src/tree/told-names.ts';
import { guid } from './strict-store.ts';
import { build, worlds } from './tree-arbitraries.ts';

/** A conversation whose other end has said all it will. */
function said(messages: Iterable<Message>): Conversation {
  const left = [...messages];
  return {
    send: async () => undefined,
    ready: () => null,
    receive: async (): Promise<Received> => {
      const next = left.shift();
      if (!next) throw new Error('nothing more was said');
      return next;
    },
  };
}

property.prop([worlds], { numRuns: 200 })('a tree comes over as it was', async (world) => {
  const tree = build(world, { a: { directories: true } }).a.snapshot();
  expect(await receiveTree(said(treeMessages(tree)))).toEqual(tree);
});

describe('names that a Dovecot would decode are told', () => {
  const treeOf = (paths: readonly (readonly string[])[]): TreeSnapshot => ({
    separator: '/',
    nodes: paths.map((path) => ({
      ...{ path, exists: true, renamedAt: 0, createdAt: 0, subscribed: false, subscriptionChangedAt: 0 },
    })),
    deletions: { mailboxes: [], directories: [], unsubscribes: [] },
  });

  test('with a code for what begins a code', () => {
    const told = encodeNames(treeOf([['100% sure', '%'], ['plain']]), '%');
    expect(told.nodes.map(({ path }) => path)).toEqual([['100%25 sure', '%25'], ['plain']]);
  });

  test('without codes, where the Dovecot cannot have such a name, and each only once', () => {
    const names = [['a%41b'], ['100%'], ['%4A'], ['é%c3', 'x%2fy'], ['a_41b'], ['%zz']];
    const told = replaceCodes(treeOf(names), '%', '_');
    expect(told.nodes.map(({ path }) => path)).toEqual([
      ['a_41b_'],
      ['100%'],
      ['%4A'],
      ['é_c3', 'x_2fy'],
      ['a_41b'],
      ['%zz'],
    ]);
  });
});

const END: Message = { kind: 'listEnd' };
const DELETIONS: Message = { kind: 'mailboxDelete', separator: '/' };
const node = (path: readonly string[]): Message => ({ kind: 'treeNode', path, existence: 'y' });
const mailbox = (path: readonly string[], g: string): Message => ({
  kind: 'treeNode',
  path,
  existence: 'y',
  mailboxGuid: mailboxGuid(guid(g)),
});

test.each<[string, readonly Message[]]>([
  ['an empty name', [node([])]],
  ['an empty level', [node(['a', ''])]],
  ['NUL', [node(['a\0b'])]],
  ['CR', [node(['a\rb'])]],
  ['LF', [node(['a\nb'])]],
  ['a level of 256 bytes', [node(['ä'.repeat(128)])]],
  ['a name of 5,001 bytes', [node([...Array<string>(19).fill('x'.repeat(255)), 'x'.repeat(137)])]],
  ['101 levels', [node(Array<string>(101).fill('x'))]],
  ['a name twice', [node(['a']), node(['a'])]],
  ['a GUID twice', [mailbox(['a'], 'c1'), mailbox(['b'], 'c1')]],
  ['the separator in a part', [node(['a/b'])]],
  ['something else', [{ kind: 'done' }]],
])('%s is refused', async (_, messages) => {
  await expect(receiveTree(said([...messages, END, DELETIONS]))).rejects.toMatchObject({ code: 'BadPeerData' });
});

test.each<[string, readonly string[]]>([
  ['a level of 255 bytes', ['x'.repeat(255)]],
  ['a name of 5,000 bytes', [...Array<string>(19).fill('x'.repeat(255)), 'x'.repeat(136)]],
  ['100 levels', Array<string>(100).fill('x')],
])('%s is taken', async (_, path) => {
  expect((await receiveTree(said([node(path), END, DELETIONS]))).nodes).toHaveLength(1);
});

test('a separator of two characters is refused', async () => {
  await expect(receiveTree(said([END, { kind: 'mailboxDelete', separator: '::' }]))).rejects.toMatchObject({
    code: 'BadPeerData',
  });
});
