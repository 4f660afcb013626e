/**
 * Runs that compare in full between two of ours, but for which a Dovecot that starts them sends changes alone: they must not
 * be taken for all there is.
 */
import { afterAll, expect, test } from '@jest/globals';

import { play } from '../../scenarios/play.ts';
import { describeWith } from '../../support/needs.ts';
import type { Scenario, ScenarioState, Step, UserStep } from '../../support/scenario.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { Dovecots } from './dovecot-side.ts';
import { MixedWorld } from './mixed-world.ts';

const GUID = 'a1'.padStart(32, '0');
const NOBODY: ScenarioState = { mailboxes: {}, subscriptions: [] };

/** Two old mails and a new one, the same on both sides. */
const THREE: ScenarioState = {
  mailboxes: {
    INBOX: {
      guid: GUID,
      uidvalidity: 1001,
      messages: [
        { uid: 1, guid: 'm1', date: 1_500_000_000 },
        { uid: 2, guid: 'm2', date: 1_500_000_000 },
        { uid: 3, guid: 'm3', date: 1_700_000_000 },
      ],
    },
  },
  subscriptions: [],
};

const run = (command: 'sync' | 'backup', ...options: readonly string[]): Step => ({
  ...{ op: 'sync', command, options, start: 'A', other: 'B', expect: { exit: 0 } },
});
const inbox = (side: 'A' | 'B', op: UserStep['op'], more: Partial<UserStep>): Step => ({
  ...{ op, side, mailbox: 'INBOX' },
  ...more,
});

interface Story {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly Step[];
  readonly runs: readonly string[];
  readonly A: string;
  readonly B: string;
}

const STORIES: readonly Story[] = [
  {
    id: 'state-backup',
    title: 'a backup of what has changed in the source',
    steps: [
      run('backup', '-f', '-s', ''),
      inbox('A', 'append', { guid: 'm4' }),
      inbox('A', 'flags_add', { uid: 1, flags: ['\\Seen'] }),
      inbox('A', 'expunge', { uid: 2 }),
      run('backup', '-s', '$STATE'),
    ],
    runs: ['0 state', '0 state'],
    A: '1=m1[\\Seen] 3=m3 4=m4 next=5',
    B: '1=m1[\\Seen] 3=m3 4=m4 next=5',
  },
  {
    id: 'state-filter',
    title: 'a filtered run of what has changed',
    steps: [
      run('sync', '-f', '-s', ''),
      inbox('A', 'append', { guid: 'old4', date: 1_500_000_000 }),
      inbox('A', 'append', { guid: 'new5', date: 1_700_000_000 }),
      run('sync', '-t', '2020-01-01', '-s', '$STATE'),
    ],
    runs: ['0 state', '0 state'],
    A: '1=m1 2=m2 3=m3 4=old4 5=new5 next=6',
    B: '1=m1 2=m2 3=m3 5=new5 next=6',
  },
];

const scenarioOf = ({ id, title, steps }: Story): Scenario => ({
  ...{ id, title, steps, group: 'state', normative: true, confirmed: [] },
  ...{ initial: { A: THREE, B: THREE }, final: { A: NOBODY, B: NOBODY } },
});

describeWith(['root', 'dovecot23'], 'with a state and Dovecot 2.3', () => testStories('2.3'));
describeWith(['root', 'dovecot24'], 'with a state and Dovecot 2.4', () => testStories('2.4'));

function testStories(version: DovecotVersion): void {
  const dovecots = new Dovecots(version);
  afterAll(() => dovecots[Symbol.asyncDispose]());
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    STORIES.map((story) => ({ ...story, dovecotIs })),
  );
  test.each(cases)('as $dovecotIs: $title', async ({ dovecotIs, runs, A, B, ...story }) => {
    const scenario = scenarioOf({ ...story, runs, A, B });
    await using world = new MixedWorld(dovecots, dovecotIs, scenario);
    const { errors: _errors, ...end } = await play(scenario, world);
    expect(end).toEqual({ runs, A: [`INBOX(a1/1001): ${A}`], B: [`INBOX(a1/1001): ${B}`] });
  });
}
