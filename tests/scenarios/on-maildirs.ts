import { maildirPlaces, temporaryFolder } from '../support/maildir-side.ts';
import { describeWith } from '../support/needs.ts';
import { Clock } from '../support/side.ts';
import { testEachScenario } from './each-scenario.ts';
import { type Dialect, runHere, sidesAt } from './play.ts';

/** Every recorded scenario on Maildirs of its own. */
export function testScenariosOnMaildirs(dialect: Dialect): void {
  describeWith(['vectors'], `every recorded scenario, on Maildirs, ${dialect} dialect`, () => {
    testEachScenario(dialect, async (scenario) => {
      const clock = new Clock();
      const folder = temporaryFolder('scenario');
      return {
        ...sidesAt(scenario, clock, maildirPlaces(folder.path, clock)),
        run: runHere(dialect),
        [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
      };
    });
  });
}
