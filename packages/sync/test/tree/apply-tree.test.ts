import { createMemoryStore, type MailStore } from '@dsync/storage';
import { expect, test } from '@jest/globals';

import { applyTree, planTree } from '@dsync/sync';
import { guid } from './strict-store.ts';

const TWO_WAY = { mode: 'two-way', source: 'local', altChar: '_' } as const;

async function make(store: MailStore, name: string, as: string): Promise<void> {
  await store.createMailbox(name.split('/'), { guid: guid(as), uidValidity: 7, createdAt: 0 });
}

async function names(store: MailStore): Promise<string[]> {
  const { nodes } = await store.readTree();
  return nodes.flatMap((n) => (n.mailbox ? [`${n.path.join('/')}=${n.mailbox.guid.replace(/^0+/, '')}`] : [])).sort();
}

async function run(a: MailStore, b: MailStore): Promise<readonly string[]> {
  const plan = planTree(await a.readTree(), await b.readTree(), TWO_WAY);
  const one = await applyTree(a, plan.local);
  const other = await applyTree(b, plan.remote);
  return [...one.unexpected, ...other.unexpected];
}

test('two stores that made a mailbox of the same name each end with the larger GUID, and with both their own', async () => {
  await using a = createMemoryStore();
  await using b = createMemoryStore();
  await make(a, 'foo', 'c1');
  await make(b, 'foo', 'c2');
  await make(a, 'x', 'd1');
  await make(b, 'y/z', 'd2');
  expect(await run(a, b)).toEqual([]);
  expect(await names(a)).toEqual(['foo=c2', 'x=d1', 'y/z=d2']);
  expect(await names(b)).toEqual(['foo=c2', 'x=d1', 'y/z=d2']);
});

test('counts what was done', async () => {
  await using store = createMemoryStore();
  await make(store, 'a', 'c1');
  await make(store, 'b', 'c2');
  const rule = 'missing-here';
  const { counts } = await applyTree(store, [
    { op: 'delete', path: ['a'], guid: guid('c1'), at: 5, rule },
    { op: 'rename', from: ['b'], to: ['a'], at: 5, rule },
    { op: 'create', path: ['n'], guid: guid('c3'), uidValidity: 3, rule },
    { op: 'subscribe', path: ['n'], at: 5, rule },
  ]);
  expect(counts).toEqual({ mailboxesCreated: 1, mailboxesRenamed: 1, mailboxesDeleted: 1, subscriptions: 1 });
  expect(await names(store)).toEqual(['a=c2', 'n=c3']);
});

test('what somebody changed meanwhile is left and reported, and the rest is done', async () => {
  await using store = createMemoryStore();
  await make(store, 'taken', 'c1');
  const rule = 'missing-here';
  const { unexpected } = await applyTree(store, [
    { op: 'delete', path: ['gone'], guid: guid('c9'), at: 5, rule },
    { op: 'rename', from: ['gone'], to: ['there'], at: 5, rule },
    { op: 'create', path: ['taken'], guid: guid('c3'), uidValidity: 3, rule },
    { op: 'adopt-guid', path: ['gone'], from: guid('c9'), to: guid('ca'), rule },
    { op: 'create', path: ['n'], guid: guid('c4'), uidValidity: 3, rule },
  ]);
  expect(unexpected.map((line) => line.replace(/conflict: .*/, 'conflict'))).toEqual([
    'Mailbox gone GUID 000000000000000000000000000000c9 deletion conflict',
    'Mailbox gone rename conflict',
    'Mailbox taken creation conflict',
    'Mailbox gone GUID change conflict',
  ]);
  expect(await names(store)).toEqual(['n=c4', 'taken=c1']);
});

test('a name that the store refuses is replaced, and what belongs below it follows', async () => {
  await using store = createMemoryStore();
  const rule = 'missing-here';
  const { unexpected } = await applyTree(store, [
    { op: 'create', path: ['a\tb'], guid: guid('c1'), uidValidity: 3, rule },
    { op: 'create', path: ['a\tb', 'kid'], guid: guid('c2'), uidValidity: 3, rule },
    { op: 'rename', from: ['a\tb'], to: ['c\td'], at: 5, rule },
    { op: 'rename', from: ['c\td', 'kid'], to: ['kid'], at: 5, rule },
  ]);
  expect(unexpected).toEqual([]);
  expect(await names(store)).toEqual(['c_d=c1', 'kid=c2']);
});

test('a name whose replacement is taken gets one of its own', async () => {
  await using store = createMemoryStore();
  await make(store, 'a_b', 'c1');
  const { unexpected } = await applyTree(store, [
    { op: 'create', path: ['a\tb'], guid: guid('c2'), uidValidity: 3, rule: 'missing-here' },
  ]);
  expect(unexpected).toEqual([]);
  expect(await names(store)).toEqual(['a_b-temp-000000000000000000000000000000c2=c2', 'a_b=c1']);
});
