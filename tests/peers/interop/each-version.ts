/** What the tests with a real Dovecot at one end have in common: each version in turn, started once for all of a group. */
import { describeWith } from '../../support/needs.ts';
import { share } from '../../support/share.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { expectQuietLogs } from './accounts.ts';
import type { Ends } from './ends.ts';

/** The tests of `define` with every version. */
export const withEachVersion = (define: (version: DovecotVersion) => void): void => {
  describeWith(['root', 'dovecot23'], 'with Dovecot 2.3', () => define('2.3'));
  describeWith(['root', 'dovecot24'], 'with Dovecot 2.4', () => define('2.4'));
};

/**
 * Starts both programs for the tests of the present group, and ends them after the last one.
 * @param take is given them before the first test
 * @param expectQuiet looks through the logs at the end
 */
export const shareEnds = (
  start: () => Promise<Ends>,
  take: (ends: Ends) => unknown,
  expectQuiet: (ends: Ends) => Promise<void> = expectQuietLogs,
): void =>
  share(start, take, async (ends) => {
    try {
      await expectQuiet(ends);
    } finally {
      await ends[Symbol.asyncDispose]();
    }
  });

/** Where the tests provoke errors, or look through the logs themselves. */
export const letLogsBe = (): Promise<void> => Promise.resolve();
