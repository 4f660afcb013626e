/** A store that fails in the middle of a run: the run ends with that, whatever else stops because of it. */
import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';
import { createMemoryStore, type MailStore, StoreError } from '@dsync/storage';
import { expect, jest, test } from '@jest/globals';

import { syncStores } from './two-stores.ts';

const MAILBOXES = 20;

/** A store with mailboxes of some mails each. */
const fullStore = async (): Promise<MailStore> => {
  const store = createMemoryStore();
  for (let box = 1; box <= MAILBOXES; box += 1) {
    const mails = Array.from({ length: 30 }, (_, i) => ({
      uid: uid(i + 1),
      guid: mailGuid(`mail-${box}-${i}`),
      body: Buffer.from(`Subject: ${i}\n\n`),
    }));
    await store.user.place([`box${box}`], { guid: mailboxGuid(`${box}`.padStart(32, '0')), uidValidity: 1, mails });
  }
  return store;
};

/** An empty store whose disk is full when the mails of one mailbox are to be kept; to clear up there takes longer than elsewhere. */
const storeWithoutRoomFor = (name: string): MailStore => {
  const store = createMemoryStore();
  const open = store.openMailbox.bind(store);
  jest.spyOn(store, 'openMailbox').mockImplementation(async (guid) => {
    const mailbox = await open(guid);
    if (mailbox?.path.join('/') !== name) return mailbox;
    const begin = mailbox.begin.bind(mailbox);
    jest.spyOn(mailbox, 'begin').mockImplementation(async () => {
      const transaction = await begin();
      const full = new StoreError('DiskFull', 'no space left on device');
      jest.spyOn(transaction, 'commit').mockRejectedValue(full);
      const end = transaction[Symbol.asyncDispose].bind(transaction);
      jest.spyOn(transaction, Symbol.asyncDispose).mockImplementation(async () => {
        for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
        await end();
      });
      return transaction;
    });
    return mailbox;
  });
  return store;
};

test('with many mailboxes under way a full disk in one of them is what the run ends with', async () => {
  await expect(syncStores(storeWithoutRoomFor('box7'), await fullStore())).rejects.toMatchObject({ code: 'DiskFull' });
});
