import { Clock, memoryPlaces } from '../support/side.ts';
import { testConvergence } from './properties.ts';
import { TOLD } from './told.ts';

testConvergence({
  deeds: {},
  runs: { twoWay: 900, forgetful: 400, start: 200, backup: 400, oneWay: 400, mixed: 500 },
  told: TOLD,
  open: async () => {
    const clock = new Clock();
    return { clock, makePlace: memoryPlaces(clock), [Symbol.asyncDispose]: async () => {} };
  },
});
