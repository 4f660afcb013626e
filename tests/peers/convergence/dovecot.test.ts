/**
 * Random stories between a Maildir of ours and a real Dovecot. DSYNC_RUNS multiplies their number, DSYNC_SEED (printed when
 * a story fails) tells the same ones again.
 */
import { test as property } from '@fast-check/jest';
import { expect, test } from '@jest/globals';

import { stories } from '../../convergence/tell.ts';
import { describeWith } from '../../support/needs.ts';
import { share } from '../../support/share.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import type { Dovecot } from '../rig/dovecot.ts';
import { tell } from './tell.ts';
import { TOLD } from './told.ts';
import { type Format, startFor } from './world.ts';

const RUNS = Number(process.env['DSYNC_RUNS'] ?? 1);

const WHAT_HAPPENS = { foreign: true, metadata: false, keywords: ['k1', 'k2'], chapters: 4, most: 7 } as const;

const testWith = (version: DovecotVersion, format: Format): void => {
  describeWith(['root', version === '2.3' ? 'dovecot23' : 'dovecot24'], `with Dovecot ${version}, ${format}`, () => {
    const numRuns = Math.max(1, Math.round(12 * RUNS));
    let dovecot: Dovecot;
    let begun = 0;
    share(
      () => startFor(version, format),
      (started) => (dovecot = started),
      () => dovecot.stop(),
    );

    property.prop([stories(['sync'], WHAT_HAPPENS)], { numRuns })(
      'both ends are made equal, nothing is lost or doubled, and nothing is left to do',
      async (story) => {
        begun += 1;
        await tell(dovecot, format, story);
      },
      60_000 * Math.max(1, RUNS),
    );

    test('stories that once ended wrong', async () => {
      for (const story of TOLD[format]) await tell(dovecot, format, story);
    });

    // A property that runs out of time ends as if it had passed.
    test('all stories were told to the end', () => {
      expect(begun).toBeGreaterThanOrEqual(numRuns);
    });
  });
};

testWith('2.3', 'Maildir');
testWith('2.4', 'Maildir');
testWith('2.3', 'mdbox');
testWith('2.4', 'sdbox');
