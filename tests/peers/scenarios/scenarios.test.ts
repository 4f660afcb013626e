/** Every recorded scenario with a real Dovecot at one end, as the server and as the client, one Dovecot for all of them. */
import { afterAll, expect, test } from '@jest/globals';

import { play } from '../../scenarios/play.ts';
import { describeWith } from '../../support/needs.ts';
import { loadScenarios } from '../../support/scenario.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { Dovecots } from './dovecot-side.ts';
import { endingOf } from './endings.ts';
import { MixedWorld } from './mixed-world.ts';

describeWith(['root', 'dovecot23', 'vectors'], 'every recorded scenario with Dovecot 2.3', () => testWith('2.3'));
describeWith(['root', 'dovecot24', 'vectors'], 'every recorded scenario with Dovecot 2.4', () => testWith('2.4'));

function testWith(version: DovecotVersion): void {
  const dovecots = new Dovecots(version);
  afterAll(async () => {
    try {
      // Errors belong to some stories; nothing may make a Dovecot die.
      expect((await dovecots.logs()).match(/.*(?:Panic|Fatal|assert).*/g)).toBeNull();
    } finally {
      await dovecots[Symbol.asyncDispose]();
    }
  });
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    loadScenarios().map((scenario) => {
      const { why, ...end } = endingOf(scenario, version, dovecotIs);
      const name = `as ${dovecotIs}: ${scenario.id}${why === undefined ? '' : ` (not as recorded: ${why})`}`;
      return { name, dovecotIs, scenario, end };
    }),
  );
  test.each(cases)('$name', async ({ dovecotIs, scenario, end }) => {
    await using world = new MixedWorld(dovecots, dovecotIs, scenario);
    const { runs, A, B, errors } = await play(scenario, world);
    // A failed run's reason is part of what a person has to see when the outcome is wrong.
    const reasons = errors.map(String);
    expect({ runs, A: A.map(named), B: B.map(named), reasons }).toEqual({ ...end, reasons });
  });
}

/** A mail that a Dovecot has made a GUID of its own for is the second copy of one that was put there. */
const named = (line: string): string => line.replace(/=\d+\.M\d+P\d+\.elsewhere\S*/g, '=duplicate');
