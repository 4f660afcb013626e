/** What is done with a pair of ends, and what must come of it. */
import { join } from 'node:path';

import { expect } from '@jest/globals';

import { deliverMails } from '../rig/raw-mails.ts';
import {
  change,
  changeBack,
  changeTree,
  create,
  expectNothingToDo,
  expectSame,
  fillForFilters,
  guidsOf,
  judge,
  makeUser,
  nextSecond,
  remove,
  rename,
  runWell,
  type User,
  withImap,
} from './accounts.ts';
import type { Ends, Pairing } from './ends.ts';

/** Fails unless all is as it must be afterwards. */
export type Story = (ends: Ends, pairing: Pairing) => Promise<void>;

/** Runs from a first merge; then changes at both ends. */
export const merge =
  (...options: readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await runWell(ends, pairing, user, ['sync', ...options]);
    expect(guidsOf(await expectSame(ends, user))).toHaveLength(12);
    for (const name of [user.theirs, user.ours]) {
      await change(ends, name, 1);
      await changeTree(ends, name);
    }
    await runWell(ends, pairing, user, ['sync', ...options]);
    const merged = await expectSame(ends, user);
    expect(Object.keys(merged.mailboxes)).toEqual(
      [
        'Both',
        'Both/below',
        'INBOX',
        ...['Only', 'New'].flatMap((n) => [`${n}-${user.ours}`, `${n}-${user.theirs}`]),
      ].sort(),
    );
    await expectNothingToDo(ends, pairing, user, ['sync', ...options]);
  };

/** @returns the account that is the source, and the other one */
const directionOf = ({ starting, other }: User, options: readonly string[]): readonly [string, string] =>
  options.includes('-R') ? [other, starting] : [starting, other];

/** Changes at both ends are undone at the destination. */
export const backup =
  (...options: readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    const [source, destination] = directionOf(user, options);
    await runWell(ends, pairing, user, ['sync']);
    await change(ends, source, 1);
    await changeTree(ends, source);
    await changeBack(ends, destination);
    const before = await judge(ends, source);
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(await expectSame(ends, user)).toEqual(before);
    await expectNothingToDo(ends, pairing, user, ['backup', ...options]);
  };

/** The destination gets what the source has, and keeps its own. */
export const oneWay =
  (...options: readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    const [source, destination] = directionOf(user, options);
    const before = await judge(ends, source);
    const kept = (await judge(ends, destination)).doveadm.mails.map((line) => line.split('\t')[2] ?? '');
    await runWell(ends, pairing, user, ['sync', '-1', ...options]);
    expect(await judge(ends, source)).toEqual(before);
    const after = guidsOf(await judge(ends, destination));
    expect(after).toEqual(expect.arrayContaining(guidsOf(before)));
    expect(new Set(after.map((line) => line.split(' ')[1]))).toEqual(
      new Set([...guidsOf(before).map((line) => line.split(' ')[1]), ...kept]),
    );
  };

/** Only what `isIn` names changes. @param options from the GUID of a mailbox that both have */
export const selection =
  (isIn: (name: string) => boolean, options: (guid: string) => readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await runWell(ends, pairing, user, ['sync']);
    const same = await expectSame(ends, user);
    const guid =
      same.doveadm.mailboxes
        .find((line) => line.startsWith('Both\t'))
        ?.split('\t')
        .at(-1) ?? '';
    for (const name of [user.theirs, user.ours]) await change(ends, name, 1);
    const before = { theirs: await judge(ends, user.theirs), ours: await judge(ends, user.ours) };
    await runWell(ends, pairing, user, ['sync', ...options(guid)]);
    const theirs = await judge(ends, user.theirs);
    const mine = await judge(ends, user.ours);
    for (const name of ['INBOX', 'Both']) {
      if (isIn(name)) expect(mine.mailboxes[name]).toEqual(theirs.mailboxes[name]);
      else {
        expect(mine.mailboxes[name]).toEqual(before.ours.mailboxes[name]);
        expect(theirs.mailboxes[name]).toEqual(before.theirs.mailboxes[name]);
      }
    }
  };

/**
 * What is outside the filter stays where it is, whichever end has it.
 * @param wanted what the old, the large, the flagged and the plain mail are for the filter
 */
export const filtered =
  (
    options: readonly string[],
    wanted: readonly [old: boolean, large: boolean, flagged: boolean, plain: boolean],
  ): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await runWell(ends, pairing, user, ['sync']);
    await fillForFilters(ends, user.theirs, 'Theirs');
    await fillForFilters(ends, user.ours, 'Ours');
    await runWell(ends, pairing, user, ['sync', ...options]);
    const [theirs, own] = [await judge(ends, user.theirs), await judge(ends, user.ours)];
    for (const [mailbox, from, to] of [
      ['Theirs', theirs, own],
      ['Ours', own, theirs],
    ] as const) {
      const all = from.mailboxes[mailbox]?.mails ?? [];
      expect(all).toHaveLength(4);
      expect(to.mailboxes[mailbox]?.mails).toEqual(all.filter((_, index) => wanted[index]));
    }
    await expectNothingToDo(ends, pairing, user, ['sync', ...options]);
  };

/** Every run goes on from the state that the one before has printed. */
export const chain: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  let state = '';
  for (let round = 1; round <= 5; round += 1) {
    state = (await runWell(ends, pairing, user, ['sync', '-s', state])).trimEnd();
    expect(state).toMatch(/^[A-Za-z0-9+/]+=*$/);
    await expectSame(ends, user);
    // A Dovecot that starts looks only at mailboxes that have changed on its own side.
    for (const name of [user.theirs, user.ours]) await change(ends, name, round);
  }
};

/** A state that one program has printed is good for the other one. */
export const exchange: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  let state = '';
  for (let round = 1; round <= 4; round += 1) {
    const starting = { ...pairing, dovecotIs: round % 2 === 1 ? 'client' : 'server' } as const;
    state = (await runWell(ends, starting, user, ['sync', '-s', state])).trimEnd();
    await expectSame(ends, user);
    for (const name of [user.theirs, user.ours]) await change(ends, name, round);
  }
};

/**
 * Mailboxes that get other names, at one end after the other. None is subscribed: a Dovecot lets the subscription
 * follow the mailbox, at one end only.
 */
export const renames: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  const run = (): Promise<string> => runWell(ends, pairing, user, ['sync']);
  const names = async (): Promise<string[]> => Object.keys((await expectSame(ends, user)).mailboxes);
  const always = ['INBOX', `Only-${user.ours}`, `Only-${user.theirs}`];
  await create(ends, user.theirs, 'Alpha');
  await create(ends, user.ours, 'Beta');
  await run();
  expect(await names()).toEqual(['Alpha', 'Beta', 'Both', 'Both/below', ...always]);
  await rename(ends, user.theirs, 'Beta', 'Gamma');
  await run();
  expect(await names()).toEqual(['Alpha', 'Both', 'Both/below', 'Gamma', ...always]);
  await rename(ends, user.ours, 'Alpha', 'Delta');
  await run();
  expect(await names()).toEqual(['Both', 'Both/below', 'Delta', 'Gamma', ...always]);
  await expectNothingToDo(ends, pairing, user, ['sync']);
};

/** Names with the separator that our Maildir has: each end keeps its own spelling, in a backup as well. */
export const spellings: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  const names = async (name: string): Promise<string[]> => {
    const { mailboxes, subscriptions } = await judge(ends, name);
    const more = [...Object.keys(mailboxes), '|', ...subscriptions];
    return more.filter((text) => !/^(?:INBOX|Both|Only)/.test(text));
  };
  for (const mailbox of ['x.y', 'x.y/below', 'Work/a.b']) await create(ends, user.theirs, mailbox);
  await withImap(ends, user.theirs, async (imap) => void (await imap.command('SUBSCRIBE x.y')));
  const theirs = ['Work/a.b', 'x.y', 'x.y/below', '|', 'x.y'];
  await runWell(ends, pairing, user, ['sync']);
  await runWell(ends, pairing, user, ['backup', ...(pairing.dovecotIs === 'client' ? ['-R'] : [])]);
  await runWell(ends, pairing, user, ['sync']);
  expect(await names(user.theirs)).toEqual(theirs);
  expect(await names(user.ours)).toEqual(['Work/a_b', 'x_y', 'x_y/below', '|', 'x_y']);
  await create(ends, user.ours, 'x_y/new');
  await runWell(ends, pairing, user, ['sync']);
  expect(await names(user.theirs)).toEqual(['Work/a.b', 'x.y', 'x.y/below', 'x.y/new', '|', 'x.y']);
  await expectNothingToDo(ends, pairing, user, ['sync']);
};

/** Mailboxes that are deleted at both ends, some of them renamed before, some made anew with other mail. */
export const deletions: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  const run = (): Promise<string> => runWell(ends, pairing, user, ['sync']);
  const names = async (): Promise<string[]> => Object.keys((await expectSame(ends, user)).mailboxes);
  for (const mailbox of ['Alpha', 'Beta', 'Gamma/below']) await create(ends, user.theirs, mailbox);
  for (const mailbox of ['Delta', 'Epsilon']) await create(ends, user.ours, mailbox);
  await run();
  const always = ['Both', 'Both/below', 'INBOX', `Only-${user.ours}`, `Only-${user.theirs}`];
  expect(await names()).toEqual([
    'Alpha',
    'Beta',
    ...always.slice(0, 2),
    'Delta',
    'Epsilon',
    'Gamma/below',
    ...always.slice(2),
  ]);
  // Subscribed and unsubscribed in one second is subscribed: times have no smaller unit.
  await nextSecond();
  await remove(ends, user.theirs, ['Alpha', 'Delta', 'Gamma/below']);
  await rename(ends, user.theirs, 'Epsilon', 'Zeta');
  await remove(ends, user.ours, ['Beta', 'Both/below', `Only-${user.theirs}`]);
  await run();
  const left = ['Both', 'INBOX', `Only-${user.ours}`, 'Zeta'];
  expect(await names()).toEqual(left);
  await remove(ends, user.ours, ['Zeta']);
  await create(ends, user.ours, 'Alpha');
  await remove(ends, user.theirs, [`Only-${user.ours}`]);
  await create(ends, user.theirs, 'Beta');
  await run();
  const anew = await expectSame(ends, user);
  expect(Object.entries(anew.mailboxes).map(([name, { mails }]) => [name, mails.length])).toEqual([
    ['Alpha', 1],
    ['Beta', 1],
    ['Both', 2],
    ['INBOX', 6],
  ]);
  expect(anew.subscriptions).toEqual([]);
  // Made anew before the other end knows: the two of one name become one, as between two Dovecots.
  await remove(ends, user.ours, ['Alpha']);
  await create(ends, user.ours, 'Alpha');
  await run();
  await expectSame(ends, user);
  await expectNothingToDo(ends, pairing, user, ['sync']);
};

/** Our mails came as files whose names are their GUIDs, much longer than 128 bits. */
export const longGuids: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  const holder = ends.holder(user.ours);
  const mails = Array.from({ length: 8 }, (_, i) => Buffer.from(`Subject: long ${i}\n\n${i}\n`));
  await deliverMails(holder, join(holder.home(user.ours), 'Maildir'), mails);
  await runWell(ends, pairing, user, ['sync']);
  const guids = guidsOf(await expectSame(ends, user)).filter((line) => line.includes('rather-long-name'));
  expect(guids).toHaveLength(8);
  for (const name of [user.theirs, user.ours]) await change(ends, name, 1);
  let state = (await runWell(ends, pairing, user, ['sync', '-s', ''])).trimEnd();
  await expectSame(ends, user);
  for (const name of [user.theirs, user.ours]) await change(ends, name, 2);
  state = (await runWell(ends, pairing, user, ['sync', '-s', state])).trimEnd();
  await runWell(ends, pairing, user, ['sync']);
  await expectSame(ends, user);
  await expectNothingToDo(ends, pairing, user, ['sync']);
  await change(ends, user.starting, 3);
  await runWell(ends, pairing, user, ['backup']);
  await expectSame(ends, user);
};
