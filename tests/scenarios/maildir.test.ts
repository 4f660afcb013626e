import { maildirPlaces, temporaryFolder } from '../support/maildir-side.ts';
import { describeWith } from '../support/needs.ts';
import { Clock } from '../support/side.ts';
import { testEachScenario } from './each-scenario.ts';
import { runHere } from './play.ts';

describeWith(['vectors'], 'every recorded scenario, on Maildirs', () => {
  testEachScenario(async () => {
    const clock = new Clock();
    const folder = temporaryFolder('scenario');
    return {
      clock,
      makePlace: maildirPlaces(folder.path, clock),
      run: runHere,
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  });
});
