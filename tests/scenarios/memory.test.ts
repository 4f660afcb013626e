import { describeWith } from '../support/needs.ts';
import { Clock, memoryPlaces } from '../support/side.ts';
import { testEachScenario } from './each-scenario.ts';
import { runHere, sidesAt } from './play.ts';

for (const dialect of ['native', 'dovecot'] as const) {
  describeWith(['vectors'], `every recorded scenario, on stores in memory, ${dialect} dialect`, () => {
    testEachScenario(dialect, async (scenario) => {
      const clock = new Clock();
      const sides = sidesAt(scenario, clock, memoryPlaces(clock));
      return { ...sides, run: runHere(dialect), [Symbol.asyncDispose]: async () => {} };
    });
  });
}
