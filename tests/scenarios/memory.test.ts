import { describeWith } from '../support/needs.ts';
import { Clock, memoryPlaces } from '../support/side.ts';
import { testEachScenario } from './each-scenario.ts';
import { runHere } from './play.ts';

describeWith(['vectors'], 'every recorded scenario, on stores in memory', () => {
  testEachScenario(async () => {
    const clock = new Clock();
    return { clock, makePlace: memoryPlaces(clock), run: runHere, [Symbol.asyncDispose]: async () => {} };
  });
});
