/** More mails than one commit takes. */
import { expect, jest, test } from '@jest/globals';

import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';
import { createMemoryStore, type MemoryStore } from '@dsync/storage';

import { syncStores } from './two-stores.ts';

const GUID = mailboxGuid('000000000000000000000000000000a1');
const MANY = 6_000;

const uidsByGuid = async (store: MemoryStore): Promise<readonly (readonly [string, number])[]> => {
  await using mailbox = await store.openMailbox(GUID);
  return ((await mailbox?.changes())?.mails ?? []).map((mail) => [mail.guid, mail.uid]);
};

test.each(['auto', 'dovecot'] as const)(
  'mails that get new UIDs in another order than they come in (%s)',
  async (dialect) => {
    const full = createMemoryStore();
    const empty = createMemoryStore();
    const mails = Array.from({ length: MANY }, (_, i) => ({
      uid: uid(i + 1),
      guid: mailGuid(`mail-${i + 1}`),
      body: Buffer.from(`Subject: ${i}\n\n`),
    }));
    await full.user.place(['INBOX'], { guid: GUID, uidValidity: 1, mails });
    await empty.user.place(['INBOX'], { guid: GUID, uidValidity: 1, uidNext: 3_001, mails: [] });
    const { master } = await syncStores(full, empty, {}, dialect);
    expect(master.unexpected).toEqual([]);
    const after = await uidsByGuid(empty);
    expect(after).toHaveLength(MANY);
    // The later half can keep its UIDs, the earlier one comes behind it.
    expect(after[0]).toEqual(['mail-3001', 3_001]);
    expect(after[3_000]).toEqual(['mail-1', 6_001]);
    expect(after.at(-1)).toEqual(['mail-3000', 9_000]);
    expect(await uidsByGuid(full)).toEqual(after);
  },
);

test('the more mails there are, the more go into one commit, which looks at all of them', async () => {
  const full = createMemoryStore();
  const empty = createMemoryStore();
  const body = Buffer.from('Subject: one\n\n');
  const mails = Array.from({ length: 60_000 }, (_, i) => ({ uid: uid(i + 1), guid: mailGuid(`mail-${i + 1}`), body }));
  await full.user.place(['INBOX'], { guid: GUID, uidValidity: 1, mails });
  await empty.user.place(['INBOX'], { guid: GUID, uidValidity: 1, mails: [] });
  let commits = 0;
  const open = empty.openMailbox.bind(empty);
  jest.spyOn(empty, 'openMailbox').mockImplementation(async (guid) => {
    const mailbox = await open(guid);
    if (mailbox === null) return null;
    const begin = mailbox.begin.bind(mailbox);
    jest.spyOn(mailbox, 'begin').mockImplementation(async () => {
      commits += 1;
      return await begin();
    });
    return mailbox;
  });
  const { master } = await syncStores(full, empty);
  expect(master.remote.saved).toBe(60_000);
  // Of equal blocks there would be twelve and the rest.
  expect(commits).toBe(12);
});
