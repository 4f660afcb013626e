/** What a run prints: the result, as text and as JSON, the plan of a dry run, the log. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { NO_MAILS, NOTHING } from '../../../tests/support/printed-result.ts';
import { DSYNC, Place, run, type Outcome } from './programs.ts';

test('--json is one object', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const outcome = await place.sync('--json');
  expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(1);
  const result: unknown = JSON.parse(outcome.stdout);
  expect(result).toEqual({
    user: 'u1',
    mode: 'sync',
    algorithm: 'changed',
    dialect: 'native',
    result: 'ok',
    exitCode: 0,
    dryRun: false,
    state: expect.stringMatching(/^AQAAA/),
    durationMs: expect.any(Number),
    bytesIn: expect.any(Number),
    bytesOut: expect.any(Number),
    totals: { local: NOTHING, remote: { ...NOTHING, saved: 1, mailboxesCreated: 1 } },
    mailboxes: [
      {
        name: 'INBOX',
        guid: expect.stringMatching(/^[0-9a-f]{32}$/),
        local: NO_MAILS,
        remote: { ...NO_MAILS, saved: 1 },
      },
    ],
    warnings: [],
    error: null,
  });
});

test('without it there are a few lines for people, who count one mailbox and two mailboxes', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('a', 'two', { flags: 'S' });
  place.deliver('a', 'three', { folder: '.Sent' });
  place.deliver('b', 'four', { folder: '.Drafts' });
  const { stdout } = await place.sync();
  expect(stdout.split('\n')).toEqual([
    expect.stringMatching(/^u1: sync done in [0-9.]+ s \(native dialect, [0-9.]+ KiB in, [0-9.]+ KiB out\)$/),
    '  local:  1 saved, 1 mailbox created',
    '  remote: 3 saved, 2 mailboxes created',
    '',
  ]);
});

test('--json also tells of a failure', async () => {
  using place = new Place();
  const outcome = await place.dsync('sync', '-u', 'u1', '--json', 'tcp:127.0.0.1:1');
  expect(outcome.status).toBe(75);
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    result: 'error',
    exitCode: 75,
    error: { code: 'ECONNREFUSED', message: expect.stringMatching(/^connect/) },
  });
});

test.each([
  [['-t', 'never', 'maildir:/x'], 64, 'Usage'],
  [['tcp:127.0.0.1:1', 'x'], 64, 'Usage'],
  [['-o', 'ssl=maybe', 'maildir:/x'], 78, 'BadValue'],
  [['-u', 'nobody', 'maildir:/x'], 67, 'NoSuchUser'],
] as const)('--json also tells of what no run was made of: %j', async (words, exitCode, code) => {
  using place = new Place();
  const outcome = await place.dsync('backup', '-u', 'u1', '--json', '--dry-run', ...words);
  expect(outcome.status).toBe(exitCode);
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    user: words[0] === '-u' ? words[1] : 'u1',
    mode: 'backup',
    dryRun: true,
    result: 'error',
    exitCode,
    error: { code },
  });
});

test('--json tells of a state that could not be read', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  expect(JSON.parse((await place.sync('-s', '!!!', '--json')).stdout)).toMatchObject({
    algorithm: 'full',
    warnings: [expect.stringMatching(/^Invalid -s state: .*; all mailboxes are compared in full$/)],
  });
});

test('--json has the warnings, as stderr has them', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  mkdirSync(join(place.maildir('a'), '.~other'));
  const outcome = await place.sync('--json');
  const warning = `directory ${place.maildir('a')}/.~other is left alone: its name is no mailbox's`;
  expect(outcome.stderr).toBe(`dsync(u1): Warning: ${warning}\n`);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ result: 'ok', exitCode: 0, warnings: [warning] });
});

test('a dry run prints both sides’ plan and makes nothing', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('b', 'two', { user: 'u2', flags: 'S' });
  const before = [place.listing('a'), place.listing('b')];
  expect(await place.sync('--dry-run')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/remote:\n(.*\n)*.*save UID 1 \[\\Seen\] one \(new-mail\)\n/),
  });
  expect(place.listing('b')).toEqual(before[1]);
  expect(existsSync(place.maildir('b'))).toBe(false);
  expect(place.subjects('a')).toEqual(['one S']);
  const json = await place.dsync('sync', '-u', 'u1', '--dry-run', '--json', `maildir:${place.maildir('b', 'u2')}`);
  expect(JSON.parse(json.stdout)).toMatchObject({
    dryRun: true,
    plan: { local: { mailboxes: [{ name: 'INBOX' }] }, remote: { mailboxes: [{ name: 'INBOX' }] } },
  });
  expect(place.subjects('b', '', 'u2')).toEqual(['two S']);
});

// A Dovecot numbers its new mails for whoever looks.
test.each([
  ['native', ''],
  ['dovecot', 'a'],
] as const)('a dry run leaves no trace: %s', async (dialect, side) => {
  using place = new Place();
  using aside = new Place();
  const more = ['-u', 'u1', '--dialect', dialect, ...place.serverOfB()];
  const call = (...words: string[]): Promise<Outcome> =>
    run(DSYNC, ['-o', place.mail('a'), ...words, ...more], { TMPDIR: aside.folder });
  const tracelessly = async (...modes: (readonly string[])[]): Promise<void> => {
    const before = place.traces(side);
    for (const mode of modes) {
      const outcome = await call(...mode, '--dry-run');
      expect(outcome).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/\(new-mail\)/) });
      expect(place.traces(side)).toEqual(before);
    }
  };
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('a', 'two', { folder: '.Sent' });
  place.deliver('b', 'three', { folder: '.Drafts', flags: 'D' });
  await tracelessly(['sync'], ['backup'], ['sync', '-1', '-R']);
  await call('sync');
  place.deliver('a', 'four');
  place.deliver('b', 'five', { folder: '.New' });
  rmSync(join(place.maildir('b'), '.Sent'), { recursive: true });
  await tracelessly(['sync'], ['sync', '-f'], ['backup', '-R']);
  expect(readdirSync(aside.folder).toSorted()).toEqual(['a', 'b']);
});

test('-v names each operation and its rule', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const outcome = await place.sync('-v');
  expect(outcome.stderr).toMatch(/^dsync\(u1\): Info: remote: INBOX: save UID 1 \[\\Seen\] one \(new-mail\)$/m);
});

test('a raw log has the traffic, and is its owner’s alone', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const log = join(place.folder, 'raw');
  await place.sync('-r', log);
  expect(readFileSync(`${log}.out`, 'latin1')).toMatch(/^VERSION\tdsync\t3\t/);
  expect(readFileSync(`${log}.in`, 'latin1')).toMatch(/^VERSION\tdsync\t3\t/);
});

test('a raw log that cannot be written is a mistake, and nothing begins', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  expect(await place.sync('-r', '/nonexistent/raw')).toMatchObject({
    status: 64,
    stderr: expect.stringMatching(/^dsync\(u1\): Error: cannot write the raw log: ENOENT.*\/nonexistent\/raw\.in'\n$/),
  });
  expect(place.subjects('b')).toEqual([]);
});

test('a raw log that cannot be written any more ends the run, which can be made again', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  for (const end of ['in', 'out']) symlinkSync('/dev/full', join(place.folder, `raw.${end}`));
  expect(await place.sync('-r', join(place.folder, 'raw'))).toMatchObject({
    status: 75,
    stderr: expect.stringMatching(/^dsync\(u1\): Error: cannot write the raw log: ENOSPC.*\n$/),
  });
});
