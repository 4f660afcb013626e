/** What a killed run leaves lying about is gone after the next look at the tree, whether or not anybody needs it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';
import { mailboxGuid } from '@dsync/protocol';

import { openMaildirStore } from '../../src/index.ts';
import { makeHome } from './dovecot.ts';

/** A process that has come to its end. */
const DEAD = spawnSync(process.execPath, ['-e', '']).pid;

async function makeStore(layout: 'maildir++' | 'fs'): Promise<string> {
  const root = join(makeHome(), 'Maildir');
  await using store = await openMaildirStore({ root, layout, journal: 'auto', fsync: 'on', create: true });
  await store.createMailbox(['Box'], { guid: mailboxGuid('a'.repeat(32)), uidValidity: 7, createdAt: 0 });
  await store.setSubscribed(['Box'], true, 1);
  await store.readTree();
  return root;
}

const filesOf = (root: string): readonly string[] => fs.readdirSync(root, { recursive: true, encoding: 'utf8' });

test.each([
  ['maildir++', '.Box', '..DOVECOT-TRASHED'],
  ['fs', 'Box', '..DOVECOT-TrasH'],
] as const)('in layout %s', async (layout, box, trash) => {
  const root = await makeStore(layout);
  const before = filesOf(root).toSorted();
  fs.writeFileSync(join(root, box, `tmp/dsync.${DEAD}.0.0123abcd.${hostname()},c1.M1P1.host:2,S`), 'half a ma');
  const owner = `${DEAD}:${hostname()}`;
  for (const lock of [
    '.dovecot-sync.lock',
    `${box}/.dovecot-box-sync.lock`,
    `${box}/dovecot-uidlist.lock`,
    'subscriptions.lock',
  ])
    fs.writeFileSync(join(root, lock), owner);
  for (const file of [`${box}/dovecot-uidlist.tmp`, `${box}/dovecot-keywords.lock`, 'subscriptions.tmp'])
    fs.writeFileSync(join(root, file), 'not whole');
  fs.mkdirSync(join(root, trash, 'cur'), { recursive: true });
  fs.writeFileSync(join(root, trash, 'cur/1.M1P1.host:2,S'), 'deleted');
  const left = filesOf(root).toSorted();

  {
    await using store = await openMaildirStore({ root, layout, journal: 'auto', fsync: 'on', untouched: true });
    const { nodes } = await store.readTree();
    expect(nodes).toMatchObject([{ path: ['Box'], subscribed: true }]);
  }
  expect(filesOf(root).toSorted()).toEqual(left);

  {
    await using store = await openMaildirStore({ root, layout, journal: 'auto', fsync: 'on' });
    const { nodes } = await store.readTree();
    expect(nodes).toMatchObject([{ path: ['Box'], subscribed: true }]);
  }
  expect(filesOf(root).toSorted()).toEqual(before);
});

test('locks of runs that go on stay', async () => {
  const root = await makeStore('maildir++');
  await using other = await openMaildirStore({ root, journal: 'auto', fsync: 'on' });
  await using mailbox = await other.openMailbox(mailboxGuid('a'.repeat(32)));
  await using _mailboxLock = await mailbox?.lock(1000);
  await using _userLock = await other.lockUser(1000);
  await using store = await openMaildirStore({ root, journal: 'auto', fsync: 'on' });
  await store.readTree();
  expect(filesOf(root)).toEqual(expect.arrayContaining(['.Box/.dovecot-box-sync.lock', '.dovecot-sync.lock']));
});

test('a lock whose owner was ended before it could sign is gone soon', async () => {
  const root = await makeStore('maildir++');
  const locks = ['subscriptions.lock', '.Box/dovecot-uidlist.lock'].map((name) => join(root, name));
  for (const lock of locks) fs.writeFileSync(lock, '');
  await using store = await openMaildirStore({ root, journal: 'auto', fsync: 'on' });
  expect((await store.readTree()).nodes).toMatchObject([{ path: ['Box'], subscribed: true }]);
  expect(locks.filter((lock) => fs.existsSync(lock))).toEqual([]);
}, 60_000);
