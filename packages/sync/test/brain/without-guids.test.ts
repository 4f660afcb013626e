/** Stores that keep no GUIDs: mails are recognised by their headers. */
import { describe, expect, test } from '@jest/globals';

import { FLAG, mailboxGuid, mailGuid, type Uid, uid } from '@dsync/protocol';
import { createMemoryStore, type MemoryStore } from '@dsync/storage';
import type { SyncOptions } from '@dsync/sync';

import { NO_MAILS } from '../../../../tests/support/printed-result.ts';
import { syncStores } from './two-stores.ts';

const INBOX = ['INBOX'];
const GUID = mailboxGuid('000000000000000000000000000000a1');

const mail = (id: string): Buffer =>
  Buffer.from(`Date: Tue, 14 Nov 2023 22:13:22 +0000\nMessage-ID: <${id}>\n\n${id}\n`);
const headerless = (text: string): Buffer => Buffer.from(`Subject: ${text}\n\n${text}\n`);

let stores = 0;

/** GUIDs of the two stores have nothing in common. */
const storeOf = async (keepsMailGuids: boolean, ...bodies: readonly Buffer[]): Promise<MemoryStore> => {
  const store = createMemoryStore({ keepsMailGuids });
  stores += 1;
  const mails = bodies.map((body, i) => ({ uid: uid(i + 1), guid: mailGuid(`s${stores}-${i + 1}`), body }));
  await store.user.place(INBOX, { guid: GUID, uidValidity: 1001, mails });
  return store;
};

/** UID, last line of the mail and flags, of every mail. */
const contents = async (store: MemoryStore): Promise<readonly string[]> => {
  await using mailbox = await store.openMailbox(GUID);
  const lines: string[] = [];
  for (const record of (await mailbox?.changes())?.mails ?? []) {
    await using content = (await mailbox?.read(record.uid, record.guid)) ?? null;
    const { body } = content ?? { body: Buffer.alloc(0) };
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : 'long';
    lines.push([record.uid, text.trimEnd().split('\n').at(-1), record.flags, ...record.keywords].join(' '));
  }
  return lines;
};

const quiet = async (a: MemoryStore, b: MemoryStore, options: Partial<SyncOptions> = {}): Promise<void> => {
  const { master } = await syncStores(a, b, options);
  expect([master.local, master.remote]).toEqual([expect.objectContaining(NO_MAILS), expect.objectContaining(NO_MAILS)]);
};

describe.each([
  ['one side keeps no GUIDs', true, false],
  ['the side that starts keeps no GUIDs', false, true],
  ['neither side keeps GUIDs', false, false],
])('%s', (_title, mine, theirs) => {
  test('the same mails are recognised, others exchanged, and a second run has nothing to do', async () => {
    const a = await storeOf(mine, mail('both'), mail('only a'));
    const b = await storeOf(theirs, mail('both'), mail('only b'));
    const { master } = await syncStores(a, b);
    expect(master.unexpected).toEqual([]);
    // Both had something else as UID 2: what has the smaller hash comes first.
    const merged = ['1 both 0', expect.stringMatching(/^3 only [ab] 0$/), expect.stringMatching(/^4 only [ab] 0$/)];
    expect(await contents(a)).toEqual(merged);
    expect(await contents(b)).toEqual(await contents(a));
    await quiet(a, b);
    await quiet(b, a);
  });

  test('a first copy into an empty mailbox keeps the UIDs', async () => {
    const a = await storeOf(mine, mail('1'), headerless('x'), headerless('y'), mail('1'));
    const b = await storeOf(theirs);
    await a.user.expunge(INBOX, 2);
    await syncStores(a, b);
    expect(await contents(b)).toEqual(['1 1 0', '3 y 0', '4 1 0']);
    await quiet(a, b);
  });

  test('flags and expunges travel', async () => {
    const a = await storeOf(mine, mail('1'), mail('2'), mail('3'));
    const b = await storeOf(theirs, mail('1'), mail('2'), mail('3'));
    await syncStores(a, b);
    await a.user.changeFlags(INBOX, 1, 'add', FLAG.seen, ['kw']);
    await b.user.changeFlags(INBOX, 1, 'add', FLAG.flagged, []);
    await b.user.expunge(INBOX, 2);
    await syncStores(a, b);
    expect(await contents(a)).toEqual([`1 1 ${FLAG.seen | FLAG.flagged} kw`, '3 3 0']);
    expect(await contents(b)).toEqual(await contents(a));
    await quiet(a, b);
  });

  test('with a state, changes of both sides travel', async () => {
    const a = await storeOf(mine, mail('1'), mail('2'), mail('3'));
    const b = await storeOf(theirs, mail('1'), mail('2'), mail('3'));
    const first = await syncStores(a, b);
    await a.user.changeFlags(INBOX, 1, 'add', FLAG.seen, []);
    await b.user.changeFlags(INBOX, 1, 'add', FLAG.flagged, []);
    await b.user.expunge(INBOX, 3);
    await b.user.append(INBOX, { body: mail('4') });
    const { master } = await syncStores(a, b, { algorithm: 'state', state: first.master.state });
    expect(master.unexpected).toEqual([]);
    expect(await contents(a)).toEqual([`1 1 ${FLAG.seen | FLAG.flagged}`, '2 2 0', '4 4 0']);
    expect(await contents(b)).toEqual(await contents(a));
    await quiet(a, b);
  });

  test.each([false, true])('a backup (reverse: %s) makes the other side equal', async (reverse) => {
    const a = await storeOf(mine, mail('1'), mail('2'), headerless('x'));
    const b = await storeOf(theirs, mail('1'), headerless('z'), mail('5'), mail('6'));
    const [from, to] = reverse ? [b, a] : [a, b];
    const before = await contents(from);
    const guids = await guidsOf(from);
    await syncStores(a, b, { mode: 'backup', reverse });
    expect([await contents(from), await guidsOf(from)]).toEqual([before, guids]);
    expect(await contents(to)).toEqual(before);
    await quiet(a, b, { mode: 'backup', reverse });
  });

  test('a dry run tells both plans and changes nothing', async () => {
    const a = await storeOf(mine, mail('both'), mail('only a'));
    const b = await storeOf(theirs, mail('both'));
    const before = [await contents(a), await contents(b)];
    const { master } = await syncStores(a, b, { dryRun: true });
    expect(master.mailboxes[0]?.plan?.remote).toEqual([
      expect.objectContaining({ op: 'save', uid: 2, guid: (await guidsOf(a))[1]?.[1] }),
    ]);
    expect([await contents(a), await contents(b)]).toEqual(before);
  });

  test('mails without any of the headers are never taken for one another', async () => {
    const a = await storeOf(mine, mail('1'), headerless('a2'));
    const b = await storeOf(theirs, mail('1'), mail('b2'), headerless('b3'));
    await syncStores(a, b);
    const lines = await contents(a);
    expect(lines).toHaveLength(4);
    expect(new Set(lines.map((line) => line.split(' ')[1]))).toEqual(new Set(['1', 'a2', 'b2', 'b3']));
    expect(await contents(b)).toEqual(lines);
    await quiet(a, b);
  });
});

const guidsOf = async (store: MemoryStore): Promise<readonly (readonly [Uid, string])[]> => {
  await using mailbox = await store.openMailbox(GUID);
  return ((await mailbox?.changes())?.mails ?? []).map((record) => [record.uid, record.guid] as const);
};

test('a mail gets the GUID that its own store has for it, if that can be told', async () => {
  const a = await storeOf(true);
  const b = await storeOf(false, mail('1'), mail('2'));
  await syncStores(a, b);
  expect(await guidsOf(a)).toEqual(await guidsOf(b));
});

test.each([
  ['starts', true],
  ['serves', false],
])('a store that keeps GUIDs in their 128-bit form alone %s', async (_title, starts) => {
  const long = createMemoryStore();
  const short = createMemoryStore({ onlyGuid128: true });
  const mails = [1, 2, 3].map((n) => ({ uid: uid(n), guid: mailGuid(`a-long-guid-of-mail-${n}`), body: mail(`${n}`) }));
  await long.user.place(INBOX, { guid: GUID, uidValidity: 1001, mails });
  const [a, b] = starts ? [short, long] : [long, short];
  const first = await syncStores(a, b);
  expect(await contents(short)).toEqual(['1 1 0', '2 2 0', '3 3 0']);
  await quiet(a, b);
  await short.user.expunge(INBOX, 1);
  await long.user.expunge(INBOX, 2);
  await short.user.append(INBOX, { guid: mailGuid('0123456789abcdef0123456789abcdef'), body: mail('4') });
  await syncStores(a, b);
  expect([await contents(long), await contents(short)]).toEqual([
    ['3 3 0', '4 4 0'],
    ['3 3 0', '4 4 0'],
  ]);
  await long.user.changeFlags(INBOX, 3, 'add', FLAG.seen, []);
  await syncStores(a, b, { algorithm: 'state', state: first.master.state });
  await quiet(a, b);
  expect((await guidsOf(long))[0]?.[1]).toBe('a-long-guid-of-mail-3');
  await short.user.append(INBOX, { guid: mailGuid('f'.repeat(32)), body: mail('5') });
  await syncStores(a, b, { mode: 'backup', reverse: starts });
  expect(await contents(short)).toEqual([`3 3 ${FLAG.seen}`, '4 4 0']);
});
