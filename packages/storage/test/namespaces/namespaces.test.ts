import { describe, expect, test } from '@jest/globals';

import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';
import {
  createMemoryStore,
  openNamespacedStore,
  visibleNamespaces,
  type MailStore,
  type MemoryStore,
  type Namespace,
} from '@dsync/storage';

const guid = (n: number): ReturnType<typeof mailboxGuid> => mailboxGuid(n.toString(16).padStart(32, '0'));
const AS = (n: number): { guid: ReturnType<typeof guid>; uidValidity: number; createdAt: number } => ({
  guid: guid(n),
  uidValidity: 1000 + n,
  createdAt: 0,
});

function namespace(prefix: string, facts: Partial<Namespace> = {}): Namespace & { readonly store: MemoryStore } {
  const separator = facts.separator ?? '/';
  return {
    prefix,
    separator,
    separateLocation: false,
    inbox: false,
    hidden: false,
    list: true,
    ...facts,
    store: createMemoryStore({ separator }),
  };
}

const mailbox = { uidValidity: 1, mails: [] };

async function names(store: MailStore): Promise<string[]> {
  const { nodes } = await store.readTree();
  return nodes.map((n) => `${n.path.join(store.separator)}${n.mailbox === undefined ? '/' : ''}`).toSorted();
}

async function mainAndArchive(): Promise<{
  readonly main: MemoryStore;
  readonly archive: MemoryStore;
  readonly store: MailStore;
}> {
  const main = namespace('', { inbox: true });
  const archive = namespace('Archive/', { separateLocation: true });
  await main.store.user.place(['INBOX'], { ...mailbox, guid: guid(1) });
  await main.store.user.place(['foo'], { ...mailbox, guid: guid(2) });
  await archive.store.user.place(['x', 'y'], {
    ...mailbox,
    guid: guid(3),
    mails: [{ uid: uid(1), guid: mailGuid('m'), body: Buffer.from('x') }],
  });
  return { main: main.store, archive: archive.store, store: openNamespacedStore([main, archive]) };
}

describe('names', () => {
  test('each store’s names stand below its prefix', async () => {
    const { store } = await mainAndArchive();
    expect(await names(store)).toEqual(['Archive/', 'Archive/x/y', 'INBOX', 'foo']);
  });

  test('INBOX keeps its name whatever the prefix', async () => {
    const only = namespace('INBOX.', { separator: '.', inbox: true });
    await only.store.user.place(['INBOX'], { ...mailbox, guid: guid(1) });
    const store = openNamespacedStore([only]);
    await store.createMailbox(['INBOX', 'foo'], AS(2));
    expect(await names(store)).toEqual(['INBOX', 'INBOX.foo']);
    expect(await names(only.store)).toEqual(['INBOX', 'foo']);
  });

  test('the longest prefix counts', async () => {
    const { store, archive, main } = await mainAndArchive();
    await store.createMailbox(['Archive', 'new'], AS(4));
    await store.createMailbox(['Archives'], AS(5));
    expect(await names(archive)).toEqual(['new', 'x/y']);
    expect(await names(main)).toEqual(['Archives', 'INBOX', 'foo']);
  });

  test('a mailbox is opened by GUID under its visible name', async () => {
    const { store } = await mainAndArchive();
    await using opened = await store.openMailbox(guid(3));
    expect(opened?.path).toEqual(['Archive', 'x', 'y']);
    expect((await opened?.changes())?.mails).toHaveLength(1);
    expect(await store.openMailbox(guid(99))).toBeNull();
  });

  test('rename, delete and subscribe reach the right store', async () => {
    const { store, archive } = await mainAndArchive();
    await store.rename(['Archive', 'x', 'y'], ['Archive', 'z'], 5);
    await store.setSubscribed(['Archive', 'z'], true, 6);
    expect((await archive.readTree()).nodes).toMatchObject([{ path: ['z'], subscribed: true }]);
    await store.deleteMailbox(['Archive', 'z'], guid(3), 7);
    expect((await store.readTree()).deletions.mailboxes).toEqual([{ guid: guid(3), time: 7 }]);
  });

  test('mail is not moved between namespaces by a rename', async () => {
    const { store } = await mainAndArchive();
    await expect(store.rename(['foo'], ['Archive', 'foo'], 1)).rejects.toMatchObject({ code: 'InvalidName' });
  });

  test('the prefix itself is neither made nor removed', async () => {
    const { store, main } = await mainAndArchive();
    await store.createDirectory(['Archive']);
    await store.deleteDirectory(['Archive'], 1);
    expect(await names(main)).toEqual(['INBOX', 'foo']);
  });
});

describe('what a run looks at', () => {
  test('by default not what has its own location', async () => {
    const { store } = await mainAndArchive();
    expect(await names(store.selectNamespaces?.({ namespaces: [], allNamespaces: false }) ?? store)).toEqual([
      'INBOX',
      'foo',
    ]);
  });

  test('a name outside the chosen namespaces cannot be made', async () => {
    const { store } = await mainAndArchive();
    const view = store.selectNamespaces?.({ namespaces: ['Archive/'], allNamespaces: false }) ?? store;
    expect(await names(view)).toEqual(['Archive/x/y']);
    expect(view.legalPath(['INBOX'], '_')).toEqual(['INBOX']);
    await expect(view.createMailbox(['INBOX'], AS(9))).rejects.toMatchObject({
      exit: 75,
      message: "Couldn't find namespace for mailbox INBOX",
    });
  });

  const facts = { separator: '/', separateLocation: false, inbox: false, hidden: false, list: true };
  const all = [
    { ...facts, prefix: '' },
    { ...facts, prefix: 'A/', separateLocation: true },
    { ...facts, prefix: 'H/', separateLocation: true, hidden: true, list: false },
    { ...facts, prefix: 'L/', separateLocation: true, hidden: true },
  ];
  test.each([
    [[], false, ['']],
    [[], true, ['', 'A/', 'L/']],
    [['A/'], false, ['A/']],
    [['H/', ''], false, ['', 'H/']],
    [['nothing/'], false, ['']],
  ])('-n %j, -N %j', (namespaces, allNamespaces, prefixes) => {
    expect(visibleNamespaces(all, { namespaces, allNamespaces }).map((n) => n.prefix)).toEqual(prefixes);
  });

  test('an unknown prefix is nothing where no namespace has an empty one', () => {
    expect(() =>
      openNamespacedStore([namespace('A/')]).selectNamespaces?.({ namespaces: ['B/'], allNamespaces: false }),
    ).toThrow(expect.objectContaining({ code: 'NotFound' }));
  });
});

test('namespaces of one run have one separator', () => {
  expect(() => openNamespacedStore([namespace('', { inbox: true }), namespace('A.', { separator: '.' })])).toThrow(
    /same hierarchy separator/,
  );
});
