/** Names in which a Dovecot takes `%` and two digits for a byte: what each end calls the mailbox, and that it stays so. */
import { afterAll, expect, test } from '@jest/globals';

import { describeWith } from '../../support/needs.ts';
import type { Scenario, ScenarioState, SideName } from '../../support/scenario.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { Dovecots } from './dovecot-side.ts';
import { type DovecotIs, MixedWorld } from './mixed-world.ts';

interface Name {
  readonly made: 'here' | 'at the Dovecot';
  readonly name: string;
  /** What the other end calls it; absent: the same. */
  readonly there?: string;
}

/** 2.3 sends names as they are and is told `%25` for `%`; 2.4 decodes what it sends as well as what it gets. */
const NAMES: Readonly<Record<DovecotVersion, readonly Name[]>> = {
  '2.3': [
    { made: 'here', name: 'a%41b' },
    { made: 'here', name: 'x%2fy' },
    { made: 'here', name: 'é%c3' },
    { made: 'here', name: '100%' },
    { made: 'at the Dovecot', name: 'c%25d' },
  ],
  '2.4': [
    { made: 'here', name: 'a%41b', there: 'a_41b' },
    { made: 'here', name: 'x%2fy', there: 'x_2fy' },
    // As it is, it would kill the Dovecot.
    { made: 'here', name: 'é%c3', there: 'é_c3' },
    { made: 'here', name: '100%' },
    { made: 'at the Dovecot', name: '50%' },
  ],
};

const inbox: ScenarioState = {
  mailboxes: { INBOX: { guid: 'a'.repeat(32), uidvalidity: 5, messages: [] } },
  subscriptions: [],
};
const story = (id: string): Scenario => ({
  ...{ id, title: id, group: 'names', normative: true, confirmed: [], initial: { A: inbox, B: inbox } },
  steps: [{ op: 'sync', command: 'sync', options: [], start: 'A', other: 'B', expect: { exit: 0 } }],
  final: { A: inbox, B: inbox },
});

describeWith(['root', 'dovecot23'], 'names with codes and Dovecot 2.3', () => testNames('2.3'));
describeWith(['root', 'dovecot24'], 'names with codes and Dovecot 2.4', () => testNames('2.4'));

function testNames(version: DovecotVersion): void {
  const dovecots = new Dovecots(version);
  afterAll(() => dovecots[Symbol.asyncDispose]());
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    NAMES[version].map((name, n) => ({ ...name, dovecotIs, user: `names-${n}` })),
  );
  test.each(cases)('as $dovecotIs: $name made $made', async ({ made, name, there = name, dovecotIs, user }) => {
    await using world = new MixedWorld(dovecots, dovecotIs, story(user));
    const pair = { A: await world.makeSide('A'), B: await world.makeSide('B') };
    for (const side of ['A', 'B'] as const) await pair[side].place(inbox);
    const [maker, other] = sidesOf(dovecotIs, made);
    await pair[maker].act({ op: 'create', side: maker, mailbox: name, guid: 'c'.repeat(32), uidvalidity: 77 });
    await pair[maker].act({ op: 'append', side: maker, mailbox: name, guid: 'm1' });
    for (let run = 1; run <= 3; run += 1) {
      expect(await world.run(pair, { start: 'A', command: 'sync', words: [], during: null })).toMatchObject({
        exit: 0,
        error: null,
      });
      expect([await namesAt(pair[maker]), await namesAt(pair[other])]).toEqual([
        { [name]: ['m1'] },
        { [there]: ['m1'] },
      ]);
    }
  });
}

/** The side where the mailbox is made, and the other one; A starts. */
function sidesOf(dovecotIs: DovecotIs, made: Name['made']): readonly [SideName, SideName] {
  const [theirs, ours] = dovecotIs === 'client' ? (['A', 'B'] as const) : (['B', 'A'] as const);
  return made === 'here' ? [ours, theirs] : [theirs, ours];
}

/** Mailboxes but INBOX, with their mails. */
async function namesAt(side: Awaited<ReturnType<MixedWorld['makeSide']>>): Promise<Record<string, string[]>> {
  const { mailboxes } = await side.read();
  return Object.fromEntries(
    Object.entries(mailboxes)
      .filter(([name]) => name !== 'INBOX')
      .map(([name, { messages }]) => [name, messages.map(({ guid }) => guid)]),
  );
}
