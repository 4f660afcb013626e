import { describeWith } from '../support/needs.ts';
import { Clock, memoryPlaces } from '../support/side.ts';
import { testEachScenario } from './each-scenario.ts';
import { runHere } from './play.ts';

for (const dialect of ['native', 'dovecot'] as const) {
  describeWith(['vectors'], `every recorded scenario, on stores in memory, ${dialect} dialect`, () => {
    testEachScenario(dialect, async () => {
      const clock = new Clock();
      return { clock, makePlace: memoryPlaces(clock), run: runHere(dialect), [Symbol.asyncDispose]: async () => {} };
    });
  });
}
