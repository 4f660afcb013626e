import { describe, expect, test } from '@jest/globals';

import { FLAG, mailboxGuid, mailGuid, uid } from '@dsync/protocol';
import { createMemoryStore, StoreError, type MailStore } from '@dsync/storage';

import { NOTHING } from '../../../../tests/support/printed-result.ts';
import { syncStores } from './two-stores.ts';

const BODY = Buffer.from('Subject: x\n\nhello\n');
const INBOX = ['INBOX'];
const GUID = mailboxGuid('000000000000000000000000000000a1');

async function contents(store: MailStore): Promise<unknown> {
  const tree = await store.readTree();
  const boxes: unknown[] = [];
  for (const node of tree.nodes.toSorted((a, b) => (a.path.join('/') < b.path.join('/') ? -1 : 1))) {
    if (node.mailbox === undefined) continue;
    await using mailbox = await store.openMailbox(node.mailbox.guid);
    const changes = await mailbox?.changes();
    const mails = changes?.mails.map((m) => [m.uid, m.guid, m.flags, m.keywords.join(' ')]);
    boxes.push([node.path.join('/'), node.mailbox.guid, node.mailbox.uidValidity, node.mailbox.uidNext, mails]);
  }
  return boxes;
}

describe('a run between two stores', () => {
  test('a first run gives each side what only the other had, a second one has nothing to do', async () => {
    const a = createMemoryStore();
    const b = createMemoryStore();
    await a.user.place(INBOX, {
      guid: GUID,
      uidValidity: 1001,
      mails: [
        { uid: uid(1), guid: mailGuid('m1'), body: BODY },
        { uid: uid(2), guid: mailGuid('m2'), body: BODY, flags: FLAG.seen },
        { uid: uid(3), guid: mailGuid('m3'), body: BODY, flags: FLAG.flagged, keywords: ['kw1'] },
      ],
    });
    await b.user.place(['Sent'], {
      guid: mailboxGuid('000000000000000000000000000000a2'),
      uidValidity: 1002,
      mails: [{ uid: uid(5), guid: mailGuid('s5'), body: BODY }],
    });
    const first = await syncStores(a, b);
    expect(first.master.remote.saved).toBe(3);
    expect(first.master.local.saved).toBe(1);
    expect(first.master.unexpected).toEqual([]);
    expect(await contents(a)).toEqual(await contents(b));
    const second = await syncStores(b, a);
    expect(second.master.local).toEqual(NOTHING);
    expect(second.master.remote).toEqual(NOTHING);
  });

  test.each(['starting', 'other'] as const)(
    'a mailbox that is taken away meanwhile is no mailbox that nobody has: try again (the %s side)',
    async (side) => {
      const stores = { starting: createMemoryStore(), other: createMemoryStore() };
      for (const [name, { user }] of Object.entries(stores))
        await user.place(INBOX, {
          guid: GUID,
          uidValidity: 1001,
          mails: [{ uid: uid(1), guid: mailGuid(name), body: BODY }],
        });
      const gone = async (): Promise<never> => {
        throw new StoreError('NotFound', 'cannot list mail folder /x/cur');
      };
      const store = stores[side];
      const open = store.openMailbox.bind(store);
      store.openMailbox = async (guid) => {
        const mailbox = await open(guid);
        if (mailbox !== null) mailbox.changes = gone;
        return mailbox;
      };
      await expect(syncStores(stores.starting, stores.other)).rejects.toMatchObject({
        message: expect.stringMatching(/cannot list mail folder \/x\/cur; removed or renamed during the run/),
        ...(side === 'starting' ? { code: 'Temporary' } : { code: 'PeerFailed' }),
      });
    },
  );
});
