/** Runs of both sides on this machine: what they do to the mail. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { totalsOf } from '../../../tests/support/printed-result.ts';
import { DSYNC, DSYNC_SERVER, Place, run } from './programs.ts';

test('two Maildirs become one, two ways, and stay so', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('a', 'two', { folder: '.Sent', flags: 'FS' });
  place.deliver('b', 'three', { folder: '.Drafts', flags: 'D' });
  expect(await place.sync()).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^u1: sync done/),
  });
  for (const side of ['a', 'b'] as const) {
    expect([place.subjects(side), place.subjects(side, '.Sent'), place.subjects(side, '.Drafts')]).toEqual([
      ['one S'],
      ['two FS'],
      ['three D'],
    ]);
  }
  const again = await place.sync();
  expect(again.stdout.split('\n').slice(1)).toEqual(['  local:  nothing', '  remote: nothing', '']);
});

test.each(['native', 'dovecot'] as const)('--dialect %s is spoken', async (dialect) => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  place.deliver('b', 'two');
  const outcome = await place.dsync('sync', '-u', 'u1', '--json', '--dialect', dialect, ...place.serverOfB());
  expect(JSON.parse(outcome.stdout)).toMatchObject({ result: 'ok', dialect, exitCode: 0 });
  expect(place.subjects('b')).toEqual(place.subjects('a'));
  expect(place.subjects('a')).toEqual(['one S', 'two']);
});

test('in Dovecot’s text too a dry run says what the run does', async () => {
  using place = new Place();
  // As many on each side: the numbers of the two mailboxes are equal, the mails are not.
  for (const side of ['a', 'b'] as const) for (const n of [1, 2, 3]) place.deliver(side, `${side}${n}`);
  const sync = async (...options: string[]): Promise<unknown> => {
    const words = ['sync', '-u', 'u1', '--dialect', 'dovecot', '--json', ...options, ...place.serverOfB()];
    return totalsOf((await place.dsync(...words)).stdout);
  };
  const planned = await sync('--dry-run');
  expect(place.subjects('a')).toEqual(['a1', 'a2', 'a3']);
  expect(planned).toMatchObject({ local: { saved: 3 }, remote: { saved: 3 } });
  expect(await sync()).toEqual(planned);
  expect(place.subjects('b')).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
  expect(place.subjects('a')).toEqual(place.subjects('b'));
});

test('backup undoes what the destination has more', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const backup = ['backup', '-u', 'u1', `maildir:${place.maildir('b')}`];
  expect((await place.dsync(...backup)).status).toBe(0);
  place.deliver('b', 'extra', { flags: 'S' });
  place.deliver('b', 'more', { folder: '.Extra', flags: 'S' });
  expect((await place.dsync(...backup)).status).toBe(0);
  expect([place.subjects('b'), place.subjects('b', '.Extra')]).toEqual([['one S'], []]);
  expect(place.subjects('a')).toEqual(['one S']);
});

test.each(['native', 'dovecot'])('keywords that no IMAP client could have set go along (%s)', async (dialect) => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'Sabc' });
  const keywords = '0 with(parens)\n1 100%*\n2 "été"]{\n';
  writeFileSync(join(place.maildir('a'), 'dovecot-keywords'), keywords);
  expect(await place.sync('--dialect', dialect)).toMatchObject({ status: 0, stderr: '' });
  expect(place.subjects('b')).toEqual(['one Sabc']);
  const words = (side: 'a' | 'b'): string[] =>
    readFileSync(join(place.maildir(side), 'dovecot-keywords'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((l) => l.slice(2));
  expect(words('b').toSorted()).toEqual(words('a').toSorted());
});

test.each([[[]], [['-R']]])(
  'a backup of a store that is not there makes none, and deletes nothing: %j',
  async (options) => {
    using place = new Place();
    const there = options.length === 0 ? 'b' : 'a';
    place.deliver(there, 'one', { flags: 'S' });
    place.deliver(there, 'two', { folder: '.Sent', flags: 'S' });
    const missing = place.maildir(there === 'a' ? 'b' : 'a');
    for (const more of [[], ['--dry-run']])
      expect(
        await place.dsync('backup', '-u', 'u1', ...options, ...more, `maildir:${place.maildir('b')}`),
      ).toMatchObject({
        status: 68,
        stdout: '',
        stderr: `dsync(u1): Error: there is no mail at ${missing}: a backup of it would delete all mail at its destination\n`,
      });
    expect(existsSync(missing)).toBe(false);
    expect([place.subjects(there), place.subjects(there, '.Sent')]).toEqual([['one S'], ['two S']]);
  },
);

test.each([
  [[], 0],
  [['-R'], 0],
  [['--dry-run'], 0],
  [['--dialect', 'dovecot'], 0],
  // The lock is taken before the other side tells what it has.
  [['-l', '5'], 68],
])('an account that never got any mail is backed up into one that has none: %j', async (options, status) => {
  using place = new Place();
  const reverse = options.includes('-R');
  for (const part of ['cur', 'new', 'tmp'])
    mkdirSync(join(place.maildir(reverse ? 'a' : 'b'), part), { recursive: true });
  const outcome = await place.dsync('backup', '-u', 'u1', ...options, `maildir:${place.maildir('b')}`);
  expect(outcome.status).toBe(status);
  expect(existsSync(place.maildir(reverse ? 'b' : 'a'))).toBe(false);
});

test('a namespace whose folder is missing deletes nothing of a backup either', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const archive = (where: string): string[] => [
    ...['-o', 'namespace/inbox/inbox=yes', '-o', 'namespace/archive/prefix=Archive/'],
    ...['-o', 'namespace/inbox/separator=/', '-o', 'namespace/archive/separator=/'],
    ...['-o', `namespace/archive/location=maildir:${where}`],
  ];
  const [full, missing, copy] = ['full', 'missing', 'copy'].map((name) => join(place.folder, name));
  for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(full ?? '', '.Old', part), { recursive: true });
  const server = [DSYNC_SERVER, ...archive(copy ?? ''), '-o', place.mail('b'), '-u', 'u1', 'dsync-server'];
  const backup = ['backup', '-u', 'u1', '-n', 'Archive/', ...server];
  expect(await place.dsync(...archive(full ?? ''), ...backup)).toMatchObject({ status: 0, stderr: '' });
  expect(await place.dsync(...archive(missing ?? ''), ...backup)).toMatchObject({
    status: 68,
    stderr: expect.stringContaining(`there is no mail at ${missing}: a backup of it would delete all mail`),
  });
  expect(existsSync(join(copy ?? '', '.Old', 'cur'))).toBe(true);
});

describe('with -s', () => {
  const STATE = /^[A-Za-z0-9+/]+=*\n$/;

  test('the state is the only line, and can be gone on from', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const first = await place.sync('-s', '');
    expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE) });
    place.deliver('b', 'two', { flags: 'S' });
    const second = await place.sync('-s', first.stdout.trim());
    expect(second).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE), stderr: '' });
    expect(place.subjects('a')).toEqual(['one S', 'two S']);
    const broken = await place.sync('-s', '!!!');
    expect(broken).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(STATE),
      stderr: expect.stringMatching(/Invalid -s state/),
    });
  });

  test('a state that does not hold is told once', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    await place.sync('-s', '');
    place.deliver('a', 'two', { flags: 'S' });
    const first = await place.sync('-s', '');
    // With its journal the store at the other end has lost what has changed since the state.
    for (const name of readdirSync(place.maildir('b')))
      if (name.startsWith('dsync-journal')) rmSync(join(place.maildir('b'), name));
    place.deliver('b', 'three', { flags: 'S' });
    const second = await place.sync('-s', first.stdout.trim());
    expect(second).toMatchObject({ status: 2, stdout: '\n' });
    expect(second.stderr.match(/Failed to do incremental sync for mailbox INBOX/g)).toHaveLength(1);
    expect(await place.sync('-s', '')).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE), stderr: '' });
    expect(place.subjects('a')).toEqual(['one S', 'three S', 'two S']);
  });
});

test('a configuration file with namespaces; the archive only when asked for', async () => {
  using place = new Place();
  const conf = (side: 'a' | 'b'): string => {
    const file = join(place.folder, `${side}.conf`);
    writeFileSync(
      file,
      `mail_location = maildir:${place.folder}/${side}/%u/Maildir
namespace inbox {
  inbox = yes
  separator = /
}
namespace archive {
  prefix = Archive/
  separator = /
  location = maildir:${place.folder}/${side}/%u/Archive
}
`,
    );
    return file;
  };
  const [a, b] = [conf('a'), conf('b')];
  place.deliver('a', 'one', { flags: 'S' });
  for (const part of ['cur', 'new', 'tmp'])
    mkdirSync(join(place.folder, 'a/u1/Archive/.2020', part), { recursive: true });
  writeFileSync(join(place.folder, 'a/u1/Archive/.2020/cur/old:2,S'), 'Subject: old\n\nold\n');
  const there = [DSYNC_SERVER, '-c', b, '-u', 'u1', 'dsync-server'];
  expect((await run(DSYNC, ['-c', a, 'sync', '-u', 'u1', ...there])).status).toBe(0);
  expect(place.subjects('b')).toEqual(['one S']);
  expect(existsSync(join(place.folder, 'b/u1/Archive/.2020'))).toBe(false);
  expect((await run(DSYNC, ['-c', a, 'sync', '-u', 'u1', '-n', 'Archive/', ...there])).status).toBe(0);
  expect(existsSync(join(place.folder, 'b/u1/Archive/.2020/cur'))).toBe(true);
});
