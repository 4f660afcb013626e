/** What both sides have alike in a mailbox that differs is not told. */
import { type Channel, createPipe, mailboxGuid, mailGuid, openChannel, uid } from '@dsync/protocol';
import { createMemoryStore, type MemoryStore } from '@dsync/storage';
import { DEFAULT_OPTIONS, masterHandshake, runMaster, slaveHandshake, type SyncReport } from '@dsync/sync';
import { expect, test } from '@jest/globals';

import { syncStores } from './two-stores.ts';

const GUID = mailboxGuid('000000000000000000000000000000a1');
const INBOX = ['INBOX'];

const storeOf = async (mails: number): Promise<MemoryStore> => {
  const store = createMemoryStore();
  await store.user.place(INBOX, {
    guid: GUID,
    uidValidity: 1,
    mails: Array.from({ length: mails }, (_, i) => ({
      uid: uid(i + 1),
      guid: mailGuid(`mail-number-${i + 1}`),
      body: Buffer.from(`Subject: ${i}\n\n`),
    })),
  });
  return store;
};

test('of two thousand mails with three changes little more than those travels', async () => {
  const [near, far] = [await storeOf(2000), await storeOf(2000)];
  await near.user.changeFlags(INBOX, 700, 'add', 8, []);
  await far.user.expunge(INBOX, 1500);
  await far.user.append(INBOX, { guid: mailGuid('new'), body: Buffer.from('Subject: new\n\n') });
  const { master } = await syncStores(near, far);
  expect(master.local).toMatchObject({ saved: 1, flagged: 0, expunged: 1 });
  expect(master.remote).toMatchObject({ saved: 0, flagged: 1, expunged: 0 });
  // Whole lists have 50 kB in each direction.
  expect(master.bytesIn).toBeLessThan(12_000);
  expect(master.bytesOut).toBeLessThan(12_000);
});

test('what both sides have expunged long ago does not travel with every change', async () => {
  const [near, far] = [await storeOf(2000), await storeOf(2000)];
  for (const { user } of [near, far]) for (let n = 1; n <= 1500; n++) await user.expunge(INBOX, n);
  await near.user.append(INBOX, { guid: mailGuid('new'), body: Buffer.from('Subject: new\n\n') });
  const { master } = await syncStores(near, far);
  expect(master.remote).toMatchObject({ saved: 1, expunged: 0 });
  expect(master.bytesIn).toBeLessThan(12_000);
  expect(master.bytesOut).toBeLessThan(12_000);
});

test('a peer that tells of a mail which both sides have alike is refused', async () => {
  const [a, b] = createPipe();
  const lie = async (): Promise<void> => {
    await using channel = await openChannel(b, { role: 'slave', handshake: slaveHandshake('liar') });
    await echoTrees(channel);
    const box = await channel.acceptMailbox();
    const announced = await box?.receive();
    if (box === null || announced?.kind !== 'mailbox') throw new Error('no mailbox was announced');
    expect(announced.stretches).toHaveLength(5);
    await box.send({ ...announced, highestModseq: 9n, digest: '1'.repeat(32) });
    await box.send({ kind: 'listEnd' });
    await box.send({ kind: 'mailChange', type: 's', uid: uid(3), guid: mailGuid('mail-number-3'), modseq: 1n });
    await box.send({ kind: 'listEnd' });
    await channel.flush();
    for (;;) await box.receive();
  };
  const [victim, liar] = await Promise.allSettled([start(await storeOf(16), a), lie()]);
  expect(victim).toMatchObject({
    status: 'rejected',
    reason: { code: 'BadValue', message: 'the peer tells of UID 3, which both sides have alike' },
  });
  expect(liar.status).toBe('rejected');
});

async function start(store: MemoryStore, carrier: ReturnType<typeof createPipe>[0]): Promise<SyncReport> {
  await using channel = await openChannel(carrier, {
    role: 'master',
    handshake: masterHandshake(DEFAULT_OPTIONS, 'victim'),
  });
  return await runMaster(store, channel, DEFAULT_OPTIONS, {}, 'victim');
}

/** Tells the tree that it hears, as if only the INBOX's contents differed. */
async function echoTrees(channel: Channel): Promise<void> {
  for (;;) {
    const message = await channel.session.receive();
    if (message.kind === 'treeNode')
      await channel.session.send({ ...message, highestModseq: 9n, digest: '1'.repeat(32) });
    else if (message.kind === 'listEnd' || message.kind === 'mailboxDelete') await channel.session.send(message);
    if (message.kind === 'mailboxDelete') break;
  }
  await channel.flush();
}
