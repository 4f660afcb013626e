/** Our programs with a real Dovecot at the other end: both versions, both roles, every carrier, every mode. */
import { jest, test } from '@jest/globals';

import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';
import {
  backup,
  chain,
  deletions,
  exchange,
  filtered,
  merge,
  oneWay,
  renames,
  selection,
  type Story,
} from './stories.ts';

jest.setTimeout(60_000);

const STORIES: Readonly<Record<string, Story>> = {
  'sync, twice, and changes of both ends': merge(),
  'sync -f': merge('-f'),
  backup: backup(),
  'backup -R': backup('-R'),
  'sync -1': oneWay(),
  'sync -1 -R': oneWay('-R'),
  'sync -m': selection(
    (name) => name === 'Both',
    () => ['-m', 'Both'],
  ),
  'sync -g': selection(
    (name) => name === 'Both',
    (guid) => ['-g', guid],
  ),
  'sync -x': selection(
    (name) => name !== 'Both',
    () => ['-x', 'Both'],
  ),
  'sync -t': filtered(['-t', '2020-01-01'], [false, true, true, true]),
  'sync -e': filtered(['-e', '2020-01-01'], [true, false, false, false]),
  'sync -I': filtered(['-I', '10k'], [true, false, true, true]),
  'sync -O': filtered(['-O', '\\Flagged'], [false, false, true, false]),
  'sync -O with a sign': filtered(['-O', '-\\Flagged'], [true, true, false, true]),
  'sync after mailboxes were renamed': renames,
  'sync after mailboxes were deleted': deletions,
  'sync -s, five runs': chain,
  'sync -s, each program with the state of the other': exchange,
};

const PAIRINGS = [
  { dovecotIs: 'server', carrier: 'command' },
  { dovecotIs: 'server', carrier: 'tcp' },
  { dovecotIs: 'server', carrier: 'tcps' },
  { dovecotIs: 'server', carrier: 'starttls' },
  { dovecotIs: 'client', carrier: 'command' },
  { dovecotIs: 'client', carrier: 'tcp' },
  { dovecotIs: 'client', carrier: 'tcps' },
] as const;

withEachVersion(matrix);

function matrix(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
  );
  const cases = PAIRINGS.flatMap((pairing) =>
    Object.entries(STORIES)
      // Both versions tell the other end the bound of -t instead, and here there is none.
      .filter(([name]) => name !== 'sync -e' || pairing.dovecotIs === 'server')
      .map(([name, story]) => ({ ...pairing, version, name, story })),
  );
  test.each(cases)('as $dovecotIs, by $carrier: $name', async ({ story, name: _name, ...pairing }) => {
    await story(ends, pairing);
  });
}
