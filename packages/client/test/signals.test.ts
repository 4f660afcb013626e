/** What is left of a run that a signal ends. */
import { readdirSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { DSYNC, Place, run } from './programs.ts';

test.each([
  ['INT', 130],
  ['TERM', 143],
  ['HUP', 129],
])('SIG%s ends it with one line, and leaves no lock, no mark and no folder', async (signal, status) => {
  using place = new Place();
  using aside = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  // The other side has heard the first line of the conversation, and says nothing.
  const other = `read -r line; kill -${signal} $PPID; cat >/dev/null`;
  for (const more of [[], ['--dry-run']]) {
    const words = ['-o', place.mail('a'), 'sync', '-u', 'u1', '-l', '5', ...more, 'sh', '-c', other];
    expect(await run(DSYNC, words, { TMPDIR: aside.folder })).toEqual({
      status,
      stdout: '',
      stderr: `dsync(u1): Error: interrupted by SIG${signal}; what was begun is completed by the next run\n`,
    });
    const left = readdirSync(place.maildir('a')).filter((name) => /lock$|-open|-turn/.test(name));
    // The file by which lmdb's processes know of each other.
    expect(left).toEqual(['dsync-journal-lock']);
    expect(readdirSync(aside.folder).toSorted()).toEqual(['a', 'b']);
  }
});
