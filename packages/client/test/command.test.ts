/** A command as the other side: how it is started, and what is seen of its end. */
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { DSYNC, DSYNC_SERVER, Place, run } from './programs.ts';

test('a command is started without a shell, and its stderr is passed on', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const outcome = await place.dsync(
    '-v',
    'sync',
    '-u',
    'u1',
    DSYNC,
    '-v',
    '-o',
    place.mail('b'),
    'dsync-server',
    '-u',
    'u1',
  );
  expect(outcome.status).toBe(0);
  expect(place.subjects('b')).toEqual(['one S']);
});

test('--json has what the other side said of a run that went well', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  mkdirSync(join(place.maildir('b'), '.~other'), { recursive: true });
  const outcome = await place.dsync('sync', '-u', 'u1', '--json', ...place.serverOfB());
  const warning = `directory ${place.maildir('b')}/.~other is left alone: its name is no mailbox's`;
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    exitCode: 0,
    warnings: [`dsync-server(u1): Warning: ${warning}`],
  });
});

test('a session that nobody begins ends with one line', async () => {
  using place = new Place();
  expect(await run(DSYNC_SERVER, ['-o', place.mail('b'), '-u', 'u1'])).toMatchObject({
    status: 75,
    stderr: 'dsync-server: Error: the other side closed without a word\n',
  });
});

test('an unknown user at the other side is said', async () => {
  using place = new Place();
  const outcome = await place.dsync('sync', '-u', 'u1', DSYNC, '-o', place.mail('b'), 'dsync-server', '-u', 'nobody');
  expect(outcome).toMatchObject({ status: 75, stderr: expect.stringMatching(/User doesn't exist: nobody/) });
});

test('a backup of what is not there at the other side is refused there, and deletes nothing here', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const there = [DSYNC_SERVER, '-o', place.mail('b'), '-u', 'u1', 'dsync-server'];
  expect(await run(DSYNC, ['-o', place.mail('a'), 'backup', '-R', '-u', 'u1', ...there])).toMatchObject({
    status: 75,
    stderr: expect.stringContaining(
      `there is no mail at ${place.maildir('b')}: a backup of it would delete all mail at its destination\n`,
    ),
  });
  expect(place.subjects('a')).toEqual(['one S']);
  expect(existsSync(place.maildir('b'))).toBe(false);
});

test('remote: is the command of dsync_remote_cmd', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const ssh = join(place.folder, 'ssh');
  writeFileSync(ssh, `#!/bin/sh\necho "$@" >${place.folder}/words\nexec ${DSYNC_SERVER} -o ${place.mail('b')} -u u1\n`);
  chmodSync(ssh, 0o755);
  const template = `dsync_remote_cmd=${ssh} -l%{login} %{host} doveadm dsync-server -u%u`;
  const outcome = await place.dsync('-o', template, 'sync', '-u', 'u1', 'remote:vmail@mx1');
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(join(place.folder, 'words'), 'utf8')).toBe('-lvmail mx1 doveadm dsync-server -uu1\n');
  expect(place.subjects('b')).toEqual(['one S']);
});

test('remoteprefix: names the user in the first line', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const template = `dsync_remote_cmd=${DSYNC_SERVER} -o ${place.mail('b')}`;
  const outcome = await place.dsync('-o', template, 'sync', '-u', 'u1', 'remoteprefix:mx1');
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(place.subjects('b')).toEqual(['one S']);
});

test('a peer’s doveadm can be ours under that name', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const doveadm = join(place.folder, 'doveadm');
  symlinkSync(DSYNC, doveadm);
  const outcome = await place.dsync('sync', '-u', 'u1', doveadm, '-o', place.mail('b'), 'dsync-server', '-uu1', '-U');
  // The last word is not dsync-server, so it is appended; one more word is ignored.
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(await run(doveadm, ['fetch'])).toMatchObject({
    status: 64,
    stderr: expect.stringMatching(/^doveadm: Error: /),
  });
});

test('a command that stays is stopped with the run', async () => {
  using place = new Place();
  const outcome = await place.dsync('sync', '-u', 'u1', '-T', '1', 'sh', '-c', 'cat >/dev/null');
  expect(outcome).toMatchObject({ status: 75 });
});
