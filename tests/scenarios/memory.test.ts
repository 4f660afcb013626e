import { expect, test } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { loadScenarios } from '../support/scenario.ts';
import { Clock, memoryPlaces } from '../support/side.ts';
import { play, recordedOutcome, runHere } from './play.ts';

describeWith(['vectors'], 'every recorded scenario, on stores in memory', () => {
  for (const scenario of loadScenarios()) {
    test(`${scenario.id}: ${scenario.title}`, async () => {
      const clock = new Clock();
      const { errors, ...outcome } = await play(scenario, { clock, makePlace: memoryPlaces(clock), run: runHere });
      const expected = recordedOutcome(scenario);
      if (process.env['DSYNC_SHOW'] && errors.length > 0) console.log(errors);
      expect(outcome).toEqual(expected);
    });
  }
});
