/** Our programs with a Dovecot that keeps its mail in its own formats, and GUIDs of every length. */
import { describe, jest, test } from '@jest/globals';

import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Format, type Pairing, startEnds } from './ends.ts';
import { backup, chain, longGuids, merge, oneWay, renames, spellings, type Story } from './stories.ts';

jest.setTimeout(60_000);

const STORIES: Readonly<Record<string, Story>> = {
  'sync, twice, and changes of both ends': merge(),
  'mailboxes get other names': renames,
  'names that only the Dovecot can have': spellings,
  backup: backup(),
  'backup -R': backup('-R'),
  'sync -1': oneWay(),
  'sync -1 -R': oneWay('-R'),
  'sync -s, five runs': chain,
  'mails with long GUIDs': longGuids,
};

const FORMATS: readonly Format[] = ['sdbox', 'mdbox', 'maildir'];

/** What the other tests with Maildirs do not show. */
const MAILDIR_STORIES = ['mailboxes get other names', 'mails with long GUIDs'];

withEachVersion((version) => {
  describe.each(FORMATS)('that has %s', (format) => {
    stories(version, format);
  });
});

function stories(version: Pairing['version'], format: Format): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, format),
    (started) => (ends = started),
  );
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    Object.entries(STORIES)
      .filter(([name]) => format !== 'maildir' || MAILDIR_STORIES.includes(name))
      .map(([name, story]) => ({ dovecotIs, name, story })),
  );
  test.each(cases)('as $dovecotIs: $name', async ({ dovecotIs, story }) => {
    await story(ends, { version, dovecotIs, carrier: 'tcp' });
  });
}
