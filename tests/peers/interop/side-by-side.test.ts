/** The same run from the same start by our programs with a Dovecot, and by two Dovecots of that version: they end alike. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';

import { describeWith } from '../../support/needs.ts';
import { mustRun, run } from '../rig/processes.ts';
import { change, changeBack, changeTree, judge, makeUser, nextSecond, runWell, type User } from './accounts.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

interface Case {
  readonly dovecotIs: Pairing['dovecotIs'];
  readonly verb: readonly string[];
}

/** The source is the Dovecot's account: a copy of ours has notes of another program, by which two Dovecots would go. */
const CASES: readonly Case[] = [
  { dovecotIs: 'server', verb: ['sync', '-1', '-R'] },
  { dovecotIs: 'client', verb: ['sync', '-1'] },
  { dovecotIs: 'client', verb: ['backup'] },
  { dovecotIs: 'client', verb: ['backup', '-I', '1M'] },
  { dovecotIs: 'client', verb: ['sync', '-1', '-O', '-\\Answered'] },
];

/** Two accounts that were equal and have changed, and a copy of each for two Dovecots. */
const start = async (ends: Ends, pairing: Pairing, { verb }: Case): Promise<{ user: User; copy: User }> => {
  const user = await makeUser(ends, pairing);
  await runWell(ends, pairing, user, ['sync', '-f']);
  await nextSecond();
  const source = verb.includes('-R') ? user.other : user.starting;
  const destination = verb.includes('-R') ? user.starting : user.other;
  await change(ends, source, 1);
  await changeTree(ends, source);
  // A backup takes back what a Dovecot can take back.
  if (verb[0] === 'backup') await changeBack(ends, destination);
  const of = (name: string): string => (name.startsWith('our-') ? ours(`${user.name}-copy`) : `${user.name}-copy`);
  const home = (name: string): string => ends.holder(name).home(name);
  for (const name of [user.theirs, user.ours]) await mustRun('cp', ['-a', home(name), home(of(name))]);
  const { theirs, ours: own, starting, other } = user;
  return {
    user,
    copy: { name: of(user.name), theirs: of(theirs), ours: of(own), starting: of(starting), other: of(other) },
  };
};

/** @returns the exit status */
const byTwoDovecots = async (
  ends: Ends,
  { starting, other }: User,
  verb: readonly string[],
): Promise<number | null> => {
  const { dovecot } = ends;
  const whole = dovecot.doveadmCommand(['dsync-server', '-u', other]);
  // The first doveadm is in the chroot already, where there is one.
  const served = whole.slice(whole.indexOf('doveadm'));
  const [program = '', ...args] = dovecot.doveadmCommand([
    ...verb,
    '-u',
    starting,
    'env',
    '-i',
    'PATH=/usr/bin:/usr/sbin',
    ...served,
  ]);
  return (await run(program, args)).code;
};

describeWith(['root', 'dovecot23'], 'beside two Dovecots 2.3', () => sideBySide('2.3'));
describeWith(['root', 'dovecot24'], 'beside two Dovecots 2.4', () => sideBySide('2.4'));

function sideBySide(version: Pairing['version']): void {
  let ends: Ends;
  beforeAll(async () => {
    ends = await startEnds(version);
  });
  afterAll(async () => {
    await ends[Symbol.asyncDispose]();
  });
  const cases = CASES.map((one) => ({ one, name: one.verb.join(' '), dovecotIs: one.dovecotIs }));
  test.each(cases)('as $dovecotIs: $name', async ({ one }) => {
    const pairing = { version, dovecotIs: one.dovecotIs, carrier: 'tcp' } as const;
    const { user, copy } = await start(ends, pairing, one);
    const { code } = await ends.sync(pairing, user.name, one.verb);
    expect(code).toBe(await byTwoDovecots(ends, copy, one.verb));
    const [starting, other] = [await judge(ends, user.starting), await judge(ends, user.other)];
    expect({ starting, other }).toEqual({
      starting: await judge(ends, copy.starting),
      other: await judge(ends, copy.other),
    });
  });
}
