/** Every recorded scenario with a real Dovecot at one end, as the server and as the client, one Dovecot for all of them. */
import { afterAll, expect, test } from '@jest/globals';

import { play } from '../../scenarios/play.ts';
import { describeWith } from '../../support/needs.ts';
import { loadScenarios } from '../../support/scenario.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { Ahead } from './ahead.ts';
import { Dovecots } from './dovecot-side.ts';
import { endingOf } from './endings.ts';
import { MixedWorld } from './mixed-world.ts';

/** Stories that are played while one is waited for. */
const AHEAD = 2;

describeWith(['root', 'dovecot23', 'vectors'], 'every recorded scenario with Dovecot 2.3', () => testWith('2.3'));
describeWith(['root', 'dovecot24', 'vectors'], 'every recorded scenario with Dovecot 2.4', () => testWith('2.4'));

function testWith(version: DovecotVersion): void {
  const dovecots = new Dovecots(version);
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    loadScenarios().map((scenario) => {
      const { why, ...end } = endingOf(scenario, version, dovecotIs);
      const name = `as ${dovecotIs}: ${scenario.id}${why === undefined ? '' : ` (not as recorded: ${why})`}`;
      return { name, dovecotIs, scenario, end };
    }),
  );
  // One story waits for its Dovecot most of the time, so the next ones are played meanwhile.
  const ahead = new Ahead(cases, AHEAD, async ({ dovecotIs, scenario }) => {
    await using world = new MixedWorld(dovecots, dovecotIs, scenario);
    return await play(scenario, world);
  });
  afterAll(async () => {
    await ahead.settled();
    try {
      // Errors belong to some stories; nothing may make a Dovecot die.
      expect((await dovecots.logs()).match(/.*(?:Panic|Fatal|assert).*/g)).toBeNull();
    } finally {
      await dovecots[Symbol.asyncDispose]();
    }
  });
  test.each(cases.map((one, index) => ({ ...one, index })))('$name', async ({ index, end }) => {
    const { runs, A, B, errors } = await ahead.take(index);
    // A failed run's reason is part of what a person has to see when the outcome is wrong.
    const reasons = errors.map(String);
    expect({ runs, A: A.map(named), B: B.map(named), reasons }).toEqual({ ...end, reasons });
  });
}

/** A mail that a Dovecot has made a GUID of its own for is the second copy of one that was put there. */
const named = (line: string): string => line.replace(/=\d+\.M\d+P\d+\.elsewhere\S*/g, '=duplicate');
