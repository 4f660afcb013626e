/** One test for each recorded scenario, in a world of one's choice. */
import { expect, test } from '@jest/globals';

import { loadScenarios, type Scenario } from '../support/scenario.ts';
import { type Departure, DEPARTURES } from './departures.ts';
import { type Dialect, play, recordedOutcome, type World } from './play.ts';

/** @param makeWorld where the scenario is played, made anew for each */
export function testEachScenario(
  dialect: Dialect,
  makeWorld: (scenario: Scenario) => Promise<World & AsyncDisposable>,
): void {
  const scenarios = loadScenarios();
  // Where there are no recordings the suite is skipped, and named as such by what it holds.
  if (scenarios.length === 0) test('the recorded scenarios', () => expect(scenarios).not.toEqual([]));
  for (const scenario of scenarios) {
    const departure = departureOf(scenario, dialect);
    const unlike = departure === undefined ? '' : ` (unlike the original: ${departure.defect})`;
    test(`${scenario.id}: ${scenario.title}${unlike}`, async () => {
      await using world = await makeWorld(scenario);
      const { errors, ...outcome } = await play(scenario, world);
      // A failed run's reason is part of what a person has to see when the outcome is wrong.
      const reasons = errors.map(String);
      const { runs, A, B } = departure ?? recordedOutcome(scenario);
      const spelled = (lines: readonly string[]): readonly string[] =>
        departure?.anyCase ? lines.map((line) => line.toLowerCase()) : lines;
      expect({ ...outcome, A: spelled(outcome.A), B: spelled(outcome.B), reasons }).toEqual({
        runs,
        A: spelled(A),
        B: spelled(B),
        reasons,
      });
    });
  }
}

function departureOf({ id }: Scenario, dialect: Dialect): Departure | undefined {
  const departure = DEPARTURES[id];
  return dialect === 'dovecot' && departure?.native ? undefined : departure;
}
