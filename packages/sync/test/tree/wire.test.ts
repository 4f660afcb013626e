import { test as property } from '@fast-check/jest';
import { mailboxGuid, type Conversation, type Message, type Received } from '@dsync/protocol';
import { expect, test } from '@jest/globals';

import { receiveTree, treeMessages } from '@dsync/sync';
import { guid } from './strict-store.ts';
import { build, worlds } from './tree-arbitraries.ts';

/** A conversation whose other end has said all it will. */
function said(messages: Iterable<Message>): Conversation {
  const left = [...messages];
  return {
    send: async () => undefined,
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

test('names are told as the other end decodes them', () => {
  const mailboxes = [['100% sure', '%'], ['plain']].map((path) => ({
    ...{ path, exists: true, renamedAt: 0, createdAt: 0, subscribed: false, subscriptionChangedAt: 0 },
  }));
  const tree = { separator: '/', nodes: mailboxes, deletions: { mailboxes: [], directories: [], unsubscribes: [] } };
  const paths = [...treeMessages(tree, '%')].flatMap((message) => (message.kind === 'treeNode' ? [message.path] : []));
  expect(paths).toEqual([['100%25 sure', '%25'], ['plain']]);
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
