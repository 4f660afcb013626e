/** What a run does when nobody takes what it says. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { describe, expect, test } from '@jest/globals';

import { DSYNC, DSYNC_SERVER, Place } from './programs.ts';

type Where = 'kept' | 'full' | 'nobody';

/** Runs a program whose stdout, or stderr, is on a full disk or has lost its reader. */
async function runInto(
  streams: { readonly stdout?: Where; readonly stderr?: Where },
  program: string,
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const full = openSync('/dev/full', 'w');
  const stream = (where: Where | undefined): number | 'pipe' => (where === 'full' ? full : 'pipe');
  const child = spawn(program, args, {
    stdio: ['ignore', stream(streams.stdout), stream(streams.stderr)],
    env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir() },
  });
  closeSync(full);
  if (streams.stdout === 'nobody') child.stdout?.destroy();
  if (streams.stderr === 'nobody') child.stderr?.destroy();
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return await new Promise((resolve) => {
    child.once('close', (status) => resolve({ status, stderr }));
  });
}

const LOST = /^dsync: Error: cannot write to stdout: ENOSPC.*\n$/;

describe('a result that cannot be written', () => {
  test.each([[[]], [['--json']], [['-s', '']], [['--dry-run']]])('is one line and status 1: %j', async (options) => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const words = ['-o', place.mail('a'), 'sync', '-u', 'u1', ...options, `maildir:${place.maildir('b')}`];
    expect(await runInto({ stdout: 'full' }, DSYNC, words)).toEqual({ status: 1, stderr: expect.stringMatching(LOST) });
  });

  test('does not hide why the run failed', async () => {
    using place = new Place();
    const words = ['-o', place.mail('a'), 'sync', '-u', 'nobody', '--json', 'maildir:/x'];
    const { status, stderr } = await runInto({ stdout: 'full' }, DSYNC, words);
    expect([status, stderr.split('\n')[0]]).toEqual([67, "dsync(nobody): Error: User doesn't exist: nobody"]);
  });

  test('is nothing to speak of when the reader has had enough', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const words = ['-o', place.mail('a'), 'sync', '-u', 'u1', '--json', `maildir:${place.maildir('b')}`];
    expect(await runInto({ stdout: 'nobody' }, DSYNC, words)).toEqual({ status: 0, stderr: '' });
    expect(place.subjects('b')).toEqual(['one S']);
    expect(await runInto({ stdout: 'nobody' }, DSYNC, ['--help'])).toEqual({ status: 0, stderr: '' });
    expect(await runInto({ stdout: 'nobody' }, DSYNC_SERVER, ['--help'])).toEqual({ status: 0, stderr: '' });
  });
});

test.each(['full', 'nobody'] as const)('a log that goes nowhere (%s) ends no run', async (stderr) => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('b', 'two', { flags: 'F' });
  const words = ['-D', '-o', place.mail('a'), 'sync', '-u', 'u1', `maildir:${place.maildir('b')}`];
  expect((await runInto({ stderr }, DSYNC, words)).status).toBe(0);
  expect(place.subjects('b')).toEqual(['one S', 'two F']);
});
