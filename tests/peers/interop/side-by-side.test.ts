/**
 * The same runs from the same start by our programs with a Dovecot, and by two Dovecots of that version: they end alike.
 * What does not is in a table (beside/differences.ts), with the reason.
 */
import { expect, jest, test } from '@jest/globals';

import { totalsOf } from '../../support/printed-result.ts';
import type { Outcome } from '../rig/processes.ts';
import { type Case, CASES, OURS, type Round, THEIRS } from './beside/cases.ts';
import { DIFFERENCES } from './beside/differences.ts';
import { AccountPair, makeTemplate, runTwoDovecots, sidesOf } from './beside/pairs.ts';
import { differencesOf, Seen } from './beside/seen.ts';
import { letLogsBe, shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

withEachVersion(sideBySide);

test('every known difference is about a story', () => {
  const names = new Set(CASES.map(({ name }) => name));
  const known = Object.values(DIFFERENCES).flatMap((table) => Object.keys(table));
  expect(known.filter((name) => !names.has(name))).toEqual([]);
});

/** Acts lie in the past of the runs, in seconds of their own. */
const PAST_SECONDS = 10_000;
const REST = 'again';

function sideBySide(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    // A server of its own has to carry out what it is told, not pass it on; nobody pulls the plug here.
    () => startEnds(version, 'maildir', 'doveadm_port = 0\nmail_fsync = never'),
    async (started) => {
      ends = started;
      await makeTemplate(ends, { theirs: THEIRS, ours: OURS });
    },
    letLogsBe,
  );
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    CASES.map((one) => {
      const difference = DIFFERENCES[dovecotIs][one.name] ?? null;
      const name = `as ${dovecotIs}: ${one.name}${difference === null ? '' : ` (${difference.why})`}`;
      return { name, dovecotIs, one, difference };
    }),
  );
  test.each(cases.map((one, index) => ({ ...one, index })))('$name', async ({ index, dovecotIs, one, difference }) => {
    const story = new Story(ends, { version, dovecotIs, carrier: 'tcp' }, index);
    const { parts = {}, restless = [], says = [], planned = [] } = difference ?? {};
    const told = await story.play(one);
    expect(told).toEqual({ parts, restless, says: 'length' in says ? says : says[version], planned });
  });
}

interface Told {
  readonly parts: ReturnType<typeof differencesOf>;
  /** What changes on either side in a last run that has nothing to do. */
  readonly restless: readonly string[];
  /** Warnings and errors of ours and of the Dovecot with us, each once. */
  readonly says: readonly string[];
  /** What our report says that the last run did. */
  readonly planned: readonly string[];
}

/** One story in both pairs at once. */
class Story {
  readonly #ends: Ends;
  readonly #pairing: Pairing;
  readonly #index: number;

  constructor(ends: Ends, pairing: Pairing, index: number) {
    this.#ends = ends;
    this.#pairing = pairing;
    this.#index = index;
  }

  async play({ rounds }: Case): Promise<Told> {
    await using here = await AccountPair.make(this.#ends, `u${this.#index}`);
    await using twoDovecots = await AccountPair.make(this.#ends, `two${this.#index}`);
    const pairs = [
      {
        pair: here,
        seen: new Seen(),
        run: (verb: readonly string[]) => this.#ends.sync(this.#pairing, here.name, verb),
      },
      {
        pair: twoDovecots,
        seen: new Seen(),
        run: (verb: readonly string[]) => runTwoDovecots(this.#ends, this.#pairing, twoDovecots, verb),
      },
    ] as const;
    const first = await Promise.all(pairs.map(({ run }) => run(['sync', '-f'])));
    expectFine(first);
    const last = rounds.at(-1);
    if (last === undefined) throw new Error('a story without a run');
    const clock = new Clock();
    const said: string[] = [];
    let states = ['', ''];
    let report = '';
    for (const [index, round] of [...rounds, { ...last, starting: [], other: [] }].entries()) {
      await this.#act(
        pairs.map(({ pair }) => pair),
        round,
        clock,
      );
      const isStateful = round.verb.includes('-s');
      const outcomes = await Promise.all(
        pairs.map(({ run }, at) => run(round.verb.map((w) => (w === '$STATE' ? (states[at] ?? '') : w)))),
      );
      if (isStateful) states = outcomes.map(({ stdout }) => stdout.toString('utf8').trim());
      const accounts = await Promise.all(pairs.map(({ pair }) => pair.judge()));
      for (const [at, { seen }] of pairs.entries()) {
        const [outcome, account] = [outcomes[at], accounts[at]];
        if (outcome === undefined || account === undefined) continue;
        seen.add(index === rounds.length ? REST : String(index + 1), exitOf(outcome, isStateful), account);
      }
      const [ours] = outcomes;
      said.push(...(ours?.stderr.split('\n') ?? []));
      report = isStateful ? '' : (ours?.stdout.toString('utf8') ?? '');
    }
    said.push(...(await here.troubles()));
    return {
      parts: differencesOf(pairs[0].seen, pairs[1].seen),
      restless: pairs[0].seen.changedBy(REST),
      says: [...new Set(said.filter((line) => line !== '').map(withoutNames))],
      planned: plannedIn(report),
    };
  }

  /** Both sides' acts, each at a time of its own. */
  async #act(pairs: readonly AccountPair[], round: Round, clock: Clock): Promise<void> {
    const { starting, other } = sidesOf(this.#pairing.dovecotIs);
    for (const [side, acts] of [
      [starting, round.starting],
      [other, round.other],
    ] as const) {
      const time = clock.next();
      for (const pair of pairs) {
        pair.setBack(time);
        await pair.act(side, acts);
        pair.setBack(time + 1);
      }
    }
  }
}

const expectFine = (outcomes: readonly Outcome[]): void => {
  expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toEqual(outcomes.map(() => ({ code: 0, stderr: '' })));
};

class Clock {
  #now = Math.floor(Date.now() / 1000) - PAST_SECONDS;
  next(): number {
    this.#now += 10;
    return this.#now;
  }
}

const exitOf = ({ code, stdout }: Outcome, isStateful: boolean): string =>
  `${code ?? 'killed'}${isStateful ? (stdout.toString('utf8').trim() === '' ? ' empty' : ' state') : ''}`;

const withoutNames = (line: string): string =>
  line
    .replace(/^\w+ \d+ [\d:]+ /, '')
    .replaceAll(/\([^)]*\)(?:<[^>]*>)*(?=:)/g, '')
    .replaceAll(/(read)\([^)]*\)( failed: EOF).*/g, '$1$2');

const plannedIn = (report: string): string[] => {
  if (report === '') return [];
  return Object.entries(totalsOf(report)).flatMap(([side, counts]) =>
    Object.entries(counts)
      .filter(([, count]) => count !== 0)
      .map(([what, count]) => `${side} ${what} ${count}`),
  );
};
