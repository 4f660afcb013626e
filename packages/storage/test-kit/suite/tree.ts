import { expect, test } from '@jest/globals';

import type { MailboxPath } from '@dsync/protocol';
import type { MailStore } from '@dsync/storage';

import {
  bodyOf,
  box,
  contents,
  INBOX,
  INBOX_GUID,
  mailboxAt,
  nameHash,
  nodeAt,
  NOW,
  readBody,
  Stage,
  type StoreFactory,
} from './stage.ts';

const HOSTILE: readonly MailboxPath[] = [[], [''], ['a', ''], ['a/b'], ['nul\0'], ['cr\r'], ['lf\n']];
const ODD: readonly MailboxPath[] = [
  ['Entwürfe'],
  ['受信箱', 'نص'],
  ['100%'],
  ['%41'],
  ['Tom & Jerry &- &AAA-'],
  [' leading and trailing '],
  ['"quoted" \'names\''],
  ['back\\slash', '$(true)', '#1', 'a*b?'],
  ['x'.repeat(200)],
];
const TEMPTING: readonly MailboxPath[] = [
  ['..'],
  ['.'],
  ['..', 'etc'],
  ['a', '..', 'b'],
  ['~'],
  ['cur'],
  ['new'],
  ['dovecot-uidlist'],
  ['subscriptions'],
];

/** Names, mailboxes and what is remembered of them. */
export function treeSuite(factory: StoreFactory): void {
  const as = (n: number): Parameters<MailStore['createMailbox']>[1] => ({
    guid: box(n),
    uidValidity: 2000 + n,
    createdAt: 0,
  });

  test('shows every mailbox with its numbers', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const store = await stage.store();
    const { separator, nodes, deletions } = await store.readTree();
    expect(separator).toBe('/');
    expect(nodes.map(({ path, exists }) => [path, exists])).toEqual([[['INBOX'], true]]);
    expect(nodes[0]?.mailbox).toMatchObject({ guid: INBOX_GUID, uidValidity: 1001, uidNext: 3, messages: 2 });
    expect(deletions).toEqual({ mailboxes: [], directories: [], unsubscribes: [] });
  });

  test('creates a mailbox with the GUID and UIDVALIDITY that were asked for', async () => {
    await using stage = await Stage.set(factory);
    await (await stage.store()).createMailbox(['a', 'b'], as(7));
    const store = await stage.store();
    const node = await nodeAt(store, ['a', 'b']);
    expect(node).toMatchObject({ exists: true, createdAt: 0, renamedAt: 0, subscribed: false });
    expect(node?.mailbox).toMatchObject({ guid: box(7), uidValidity: 2007, uidNext: 1, messages: 0 });
    expect(await store.openMailbox(box(7))).not.toBeNull();
    expect(await store.openMailbox(box(8))).toBeNull();
  });

  test('remembers when a user created a mailbox', async () => {
    await using stage = await Stage.set(factory);
    await stage.user.createMailbox(['mine'], { guid: box(7), uidValidity: 5 });
    expect(await nodeAt(await stage.store(), ['mine'])).toMatchObject({ createdAt: NOW });
  });

  test('refuses a second mailbox of the same name or GUID', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await expect(store.createMailbox(['a'], as(8))).rejects.toMatchObject({ code: 'AlreadyExists' });
    await expect(store.createMailbox(['b'], as(7))).rejects.toMatchObject({ code: 'AlreadyExists' });
  });

  test.each(HOSTILE.map((path) => [JSON.stringify(path), path] as const))('refuses the name %s', async (_, path) => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await expect(store.createMailbox(path, as(7))).rejects.toMatchObject({ code: 'InvalidName' });
    await expect(store.setSubscribed(path, true, NOW)).rejects.toMatchObject({ code: 'InvalidName' });
    expect((await store.readTree()).nodes).toHaveLength(1);
  });

  test.each(ODD.map((path) => [JSON.stringify(path), path] as const))('keeps the name %s', async (_, path) => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    expect(store.legalPath(path, '_')).toEqual(path);
    await store.createMailbox(path, as(7));
    await store.setSubscribed(path, true, NOW);
    expect(await nodeAt(await stage.store(), path)).toMatchObject({ mailbox: { guid: box(7) }, subscribed: true });
  });

  test.each([...HOSTILE.slice(1), ...ODD, ...TEMPTING].map((path) => [JSON.stringify(path), path] as const))(
    'finds a name for %s',
    async (_, path) => {
      await using stage = await Stage.set(factory);
      const store = await stage.store();
      const legal = store.legalPath(path, '_');
      expect(store.legalPath(legal, '_')).toEqual(legal);
      await store.createMailbox(legal, as(7));
      expect((await nodeAt(await stage.store(), legal))?.mailbox?.guid).toBe(box(7));
    },
  );

  test('renames a mailbox with everything below it', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await store.createMailbox(['a', 'b'], as(8));
    await store.createMailbox(['ab'], as(9));
    await stage.user.append(['a', 'b'], { body: bodyOf('m1') });
    await store.rename(['a'], ['x', 'y'], 1234);
    const after = await stage.store();
    const mailboxes = (await after.readTree()).nodes.filter((node) => node.mailbox !== undefined);
    expect(mailboxes.map(({ path, mailbox }) => `${path.join('/')} ${mailbox?.guid}`).toSorted()).toEqual([
      `INBOX ${INBOX_GUID}`,
      `ab ${box(9)}`,
      `x/y ${box(7)}`,
      `x/y/b ${box(8)}`,
    ]);
    expect(await nodeAt(after, ['x', 'y'])).toMatchObject({ renamedAt: 1234 });
    expect((await (await mailboxAt(after, ['x', 'y', 'b'])).changes()).mails).toHaveLength(1);
    expect((await after.readTree()).deletions).toEqual({ mailboxes: [], directories: [], unsubscribes: [] });
  });

  test('renames nothing that is not there, nothing over another, and not INBOX', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await store.createMailbox(['b'], as(8));
    await expect(store.rename(['c'], ['d'], NOW)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(store.rename(['a'], ['b'], NOW)).rejects.toMatchObject({ code: 'AlreadyExists' });
    await expect(store.rename(['a'], ['a', 'below'], NOW)).rejects.toMatchObject({ code: 'InvalidName' });
    await expect(store.rename(INBOX, ['d'], NOW)).rejects.toMatchObject({ code: 'InvalidName' });
  });

  test('deletes a mailbox, keeps what is below it, and remembers the deletion', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await store.createMailbox(['a', 'b'], as(8));
    await store.createMailbox(['c'], as(9));
    await store.deleteMailbox(['a'], box(7), 1111);
    await store.deleteMailbox(['c'], box(9), 2222);
    const after = await stage.store();
    const { nodes, deletions } = await after.readTree();
    expect(nodes.filter((node) => node.mailbox !== undefined).map(({ path }) => path)).toEqual([INBOX, ['a', 'b']]);
    expect(deletions.mailboxes.toSorted((x, y) => x.time - y.time)).toEqual([
      { guid: box(7), time: 1111 },
      { guid: box(9), time: 2222 },
    ]);
    expect(deletions.directories).toEqual([{ hash: nameHash(['c']), time: 2222 }]);
    expect(await after.openMailbox(box(7))).toBeNull();
  });

  test('does not delete a mailbox that has another GUID by now', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await expect(store.deleteMailbox(['a'], box(8), NOW)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(store.deleteMailbox(['b'], box(8), NOW)).rejects.toMatchObject({ code: 'NotFound' });
    expect(await nodeAt(store, ['a'])).toMatchObject({ exists: true });
  });

  test('empties INBOX instead of deleting it', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    await (await stage.store()).deleteMailbox(INBOX, INBOX_GUID, NOW);
    const mailbox = await stage.mailbox();
    expect(await contents(mailbox)).toBe('');
    expect(await mailbox.status()).toMatchObject({ guid: INBOX_GUID, uidValidity: 1001, uidNext: 3 });
    expect((await mailbox.changes()).expunges.map(({ uid }) => uid)).toEqual([1, 2]);
  });

  test('forgets a deletion when the mailbox comes back', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.createMailbox(['a'], as(7));
    await store.deleteMailbox(['a'], box(7), NOW);
    await store.createMailbox(['a'], as(7));
    expect((await (await stage.store()).readTree()).deletions).toEqual({
      mailboxes: [],
      directories: [],
      unsubscribes: [],
    });
  });

  test('keeps subscriptions of names that do not exist, and times of changes', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.setSubscribed(['gone', 'box'], true, 1111);
    await store.setSubscribed(INBOX, true, 2222);
    await store.setSubscribed(INBOX, false, 3333);
    const after = await stage.store();
    expect(await nodeAt(after, ['gone', 'box'])).toMatchObject({
      exists: false,
      subscribed: true,
      subscriptionChangedAt: 1111,
    });
    expect(await nodeAt(after, INBOX)).toMatchObject({ exists: true, subscribed: false, subscriptionChangedAt: 3333 });
  });

  test('remembers an unsubscription of a name that is gone', async () => {
    await using stage = await Stage.set(factory);
    const store = await stage.store();
    await store.setSubscribed(['gone', 'box'], true, 1111);
    await store.setSubscribed(['gone', 'box'], false, 2222);
    const { nodes, deletions } = await (await stage.store()).readTree();
    expect(nodes.map(({ path }) => path)).toEqual([INBOX]);
    expect(deletions.unsubscribes).toEqual([{ hash: nameHash(['gone', 'box']), time: 2222 }]);
  });

  test('reads what a user put into a mailbox that was open before', async () => {
    await using stage = await Stage.set(factory, ['m1']);
    const mailbox = await stage.mailbox();
    expect(await contents(mailbox)).toBe('1=m1');
    const number = await stage.user.append(INBOX, { body: bodyOf('later') });
    const { mails } = await mailbox.changes();
    expect(mails.map(({ uid }) => uid)).toEqual([1, number]);
    expect(await readBody(mailbox, number, mails[1]?.guid ?? '')).toEqual(bodyOf('later'));
  });
}
