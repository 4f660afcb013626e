/** Our programs with a real Dovecot at the other end: both versions, both roles, both carriers, every mode. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';

import { describeWith } from '../../support/needs.ts';
import {
  change,
  changeBack,
  changeTree,
  expectNothingToDo,
  expectQuietLogs,
  expectSame,
  guidsOf,
  judge,
  makeUser,
  runWell,
} from './accounts.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

type Story = (ends: Ends, pairing: Pairing) => Promise<void>;

/** Runs from a first merge; then changes at both ends. */
const merge =
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

const backup =
  (...options: readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    const [source, destination] = options.includes('-R') ? [user.other, user.starting] : [user.starting, user.other];
    await runWell(ends, pairing, user, ['sync']);
    await change(ends, source, 1);
    await changeTree(ends, source);
    await changeBack(ends, destination);
    const before = await judge(ends, source);
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(await expectSame(ends, user)).toEqual(before);
    await expectNothingToDo(ends, pairing, user, ['backup', ...options]);
  };

const oneWay =
  (...options: readonly string[]): Story =>
  async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    const [source, destination] = options.includes('-R') ? [user.other, user.starting] : [user.starting, user.other];
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

const selection =
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

/** Every run goes on from the state that the one before has printed. */
const chain: Story = async (ends, pairing) => {
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
const exchange: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  let state = '';
  for (let round = 1; round <= 4; round += 1) {
    const starting = { ...pairing, dovecotIs: round % 2 === 1 ? 'client' : 'server' } as const;
    state = (await runWell(ends, starting, user, ['sync', '-s', state])).trimEnd();
    await expectSame(ends, user);
    for (const name of [user.theirs, user.ours]) await change(ends, name, round);
  }
};

const STORIES: Readonly<Record<string, Story>> = {
  'sync, twice, and changes of both ends': merge(),
  'sync -f': merge('-f'),
  backup: backup(),
  'backup -R': backup('-R'),
  'sync -1': oneWay(),
  'sync -1 -R': oneWay('-R'),
  'sync -m': selection(
    (name) => name === 'Both',
    () => ['-m', 'Both'],
  ),
  'sync -g': selection(
    (name) => name === 'Both',
    (guid) => ['-g', guid],
  ),
  'sync -x': selection(
    (name) => name !== 'Both',
    () => ['-x', 'Both'],
  ),
  'sync -s, five runs': chain,
  'sync -s, each program with the state of the other': exchange,
};

const PAIRINGS = [
  { dovecotIs: 'server', carrier: 'command' },
  { dovecotIs: 'server', carrier: 'tcp' },
  { dovecotIs: 'client', carrier: 'command' },
  { dovecotIs: 'client', carrier: 'tcp' },
] as const;

describeWith(['root', 'dovecot23'], 'with Dovecot 2.3', () => matrix('2.3'));
describeWith(['root', 'dovecot24'], 'with Dovecot 2.4', () => matrix('2.4'));

function matrix(version: Pairing['version']): void {
  let ends: Ends;
  beforeAll(async () => {
    ends = await startEnds(version);
  });
  afterAll(async () => {
    try {
      await expectQuietLogs(ends);
    } finally {
      await ends[Symbol.asyncDispose]();
    }
  });
  const cases = PAIRINGS.flatMap((pairing) =>
    Object.entries(STORIES)
      // The carrier does not know what it carries: a few stories show that both work.
      .filter(([name]) => pairing.carrier === 'tcp' || ['sync -f', 'backup', 'backup -R'].includes(name))
      .map(([name, story]) => ({ ...pairing, version, name, story })),
  );
  test.each(cases)('as $dovecotIs, by $carrier: $name', async ({ story, name: _name, ...pairing }) => {
    await story(ends, pairing);
  });
}
