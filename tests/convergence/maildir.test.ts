import { maildirPlaces, temporaryFolder } from '../support/maildir-side.ts';
import { RealClock } from '../support/side.ts';
import { testConvergence } from './properties.ts';
import { TOLD } from './told.ts';

testConvergence({
  deeds: { foreign: true, most: 6, chapters: 2 },
  runs: { twoWay: 120, forgetful: 40, start: 20, backup: 60, oneWay: 60, mixed: 60 },
  recentLater: true,
  told: TOLD,
  open: async () => {
    const folder = temporaryFolder('story');
    // Other programs' files have the time of day, and what was seen is trusted by comparing times.
    const clock = new RealClock();
    return {
      clock,
      makePlace: maildirPlaces(folder.path, clock),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
});
