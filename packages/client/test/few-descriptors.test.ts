/** A process that may open few files (`ulimit -n`). */
import { expect, test } from '@jest/globals';

import { DSYNC, Place, run } from './programs.ts';

test('a run that can open no more files says so in one line, and one that can goes on from there', async () => {
  using place = new Place();
  for (let n = 0; n < 60; n++) place.deliver('a', `mail${n}`, { folder: ['', '.One', '.Two'][n % 3] ?? '' });
  const sync = [DSYNC, '-o', place.mail('a'), 'sync', '-u', 'u1', `maildir:${place.maildir('b')}`];
  for (const limit of [28, 30, 32, 34, 36]) {
    const { status, stderr } = await run('/bin/sh', ['-c', 'ulimit -n "$0" && exec "$@"', String(limit), ...sync]);
    if (status === 0) continue;
    expect({ limit, status, stderr }).toEqual({
      limit,
      status: 75,
      stderr: expect.stringMatching(/^dsync\(u1\): Error: [^\n]*EMFILE: too many open files[^\n]*\n$/),
    });
  }
  expect((await place.sync()).status).toBe(0);
  for (const folder of ['', '.One', '.Two']) {
    expect(place.subjects('a', folder)).toHaveLength(20);
    expect(place.subjects('b', folder)).toEqual(place.subjects('a', folder));
  }
});
