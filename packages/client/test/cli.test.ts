import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { DSYNC, DSYNC_SERVER, Place, run } from './programs.ts';

const STATE = /^[A-Za-z0-9+/]+=*\n$/;

describe('misuse is one line, with a status that says what it is', () => {
  test.each([
    [[], 64, /no command is given/],
    [['-Q'], 64, /^dsync: Error: dsync: invalid option -- 'Q'\n$/],
    [['fetch'], 64, /unknown command "fetch"/],
    [['sync'], 64, /USER environment is missing and -u option not used/],
    [['sync', '-u', 'u1'], 64, /the destination is missing/],
    [['sync', '-Q', '-u', 'u1', 'maildir:/x'], 64, /sync: invalid option -- 'Q'/],
    [['sync', '-u', 'u1', '-t', 'sometimes', 'maildir:/x'], 64, /Invalid -t parameter 'sometimes'/],
    [['sync', '-u', 'u1', '-l', 'abc', 'maildir:/x'], 64, /Invalid -l parameter: abc/],
    [['sync', '-u', 'u1', 'tcp:'], 64, /needs HOST/],
    [['sync', '-u', 'u1', '-N', 'maildir:/nowhere/x'], 64, /-N parameter requires syncing with remote host/],
    [['sync', '-u', 'nobody', 'maildir:/x'], 67, /^dsync\(nobody\): Error: User doesn't exist: nobody\n$/],
    [['sync', '-u', '../u1', 'maildir:/x'], 67, /User doesn't exist/],
    [['-o', 'ssl=maybe', 'sync', '-u', 'u1', 'maildir:/x'], 78, /-o ssl: ssl must be one of/],
    [['-c', '/nonexistent.conf', 'sync', '-u', 'u1', 'maildir:/x'], 78, /cannot read the configuration/],
    [['-o', 'mail_location=', 'sync', '-u', 'u1', 'maildir:/x'], 78, /mail_location is not set/],
    [['sync', '-u', 'u1', 'mbox:/x'], 78, /no driver for mbox/],
    [['sync', '-u', 'u1', '/nonexistent/program'], 75, /cannot start \/nonexistent\/program/],
    [['sync', '-u', 'u1', 'true', 'x'], 75, /the other side closed/],
    [['sync', '-u', 'u1', 'sh', '-c', 'exit 3'], 75, /Remote command returned error 3/],
    [['sync', '-u', 'u1', 'echo', 'hello'], 75, /./],
    [['sync', '-u', 'u1', 'tcp:127.0.0.1:1'], 75, /connect\(127\.0\.0\.1:1\) failed: .*ECONNREFUSED/],
    [['sync', '-u', 'u1', 'remote:-oProxyCommand=touch'], 64, /not a login, host or user name/],
  ] as const)('%j', async (args, status, message) => {
    using place = new Place();
    const outcome = await run(DSYNC, ['-o', place.mail('a'), ...args]);
    expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('both locations equal, also through a link', async () => {
    using place = new Place();
    place.deliver('a', 'm1');
    symlinkSync(place.maildir('a'), join(place.folder, 'link'));
    for (const path of [place.maildir('a'), join(place.folder, 'link')]) {
      const outcome = await run(DSYNC, ['-o', place.mail('a'), 'sync', '-u', 'u1', `maildir:${path}`]);
      expect(outcome).toMatchObject({ status: 64, stderr: expect.stringMatching(/points to same directory/) });
    }
  });

  test('with -D the stack is shown', async () => {
    using place = new Place();
    const outcome = await run(DSYNC, ['-D', '-o', place.mail('a'), 'sync', '-u', 'nobody', 'maildir:/x']);
    expect(outcome.stderr).toMatch(/\n {4}at /);
  });
});

describe('two Maildirs on this machine', () => {
  test('become one, two ways, and stay so', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    place.deliver('a', 'two', { folder: '.Sent', flags: 'FS' });
    place.deliver('b', 'three', { folder: '.Drafts', flags: 'D' });
    const args = ['-o', place.mail('a'), 'sync', '-u', 'u1', `maildir:${place.maildir('b')}`];
    expect(await run(DSYNC, args)).toMatchObject({
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
    const again = await run(DSYNC, args);
    expect(again.stdout.split('\n').slice(1)).toEqual(['  local:  nothing', '  remote: nothing', '']);
  });

  test('--json is one object', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const outcome = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      '--json',
      `maildir:${place.maildir('b')}`,
    ]);
    expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(1);
    const result: unknown = JSON.parse(outcome.stdout);
    const none = { saved: 0, copied: 0, flagged: 0, expunged: 0, renumbered: 0 };
    const tree = { mailboxesCreated: 0, mailboxesRenamed: 0, mailboxesDeleted: 0, subscriptions: 0 };
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
      totals: { local: { ...none, ...tree }, remote: { ...none, ...tree, saved: 1, mailboxesCreated: 1 } },
      mailboxes: [
        { name: 'INBOX', guid: expect.stringMatching(/^[0-9a-f]{32}$/), local: none, remote: { ...none, saved: 1 } },
      ],
      warnings: [],
      error: null,
    });
  });

  test.each(['native', 'dovecot'] as const)('--dialect %s is spoken', async (dialect) => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    place.deliver('b', 'two');
    const there = [DSYNC_SERVER, '-o', place.mail('b'), '-u', 'u1', 'dsync-server'];
    const words = ['-o', place.mail('a'), 'sync', '-u', 'u1', '--json', '--dialect', dialect, ...there];
    expect(JSON.parse((await run(DSYNC, words)).stdout)).toMatchObject({ result: 'ok', dialect, exitCode: 0 });
    expect(place.subjects('b')).toEqual(place.subjects('a'));
    expect(place.subjects('a')).toEqual(['one S', 'two']);
  });

  test('--json also tells of a failure', async () => {
    using place = new Place();
    const outcome = await run(DSYNC, ['-o', place.mail('a'), 'sync', '-u', 'u1', '--json', 'tcp:127.0.0.1:1']);
    expect(outcome.status).toBe(75);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      result: 'error',
      exitCode: 75,
      error: { code: 'ECONNREFUSED', message: expect.stringMatching(/^connect/) },
    });
  });

  test('with -s the state is the only line, and can be gone on from', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const sync = (state: string): ReturnType<typeof run> =>
      run(DSYNC, ['-o', place.mail('a'), 'sync', '-u', 'u1', '-s', state, `maildir:${place.maildir('b')}`]);
    const first = await sync('');
    expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE) });
    place.deliver('b', 'two', { flags: 'S' });
    const second = await sync(first.stdout.trim());
    expect(second).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE), stderr: '' });
    expect(place.subjects('a')).toEqual(['one S', 'two S']);
    const broken = await sync('!!!');
    expect(broken).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(STATE),
      stderr: expect.stringMatching(/Invalid -s state/),
    });
  });

  test('a state that does not hold is told once', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const sync = (state: string): ReturnType<typeof run> =>
      run(DSYNC, ['-o', place.mail('a'), 'sync', '-u', 'u1', '-s', state, `maildir:${place.maildir('b')}`]);
    await sync('');
    place.deliver('a', 'two', { flags: 'S' });
    const first = await sync('');
    // With its journal the store at the other end has lost what has changed since the state.
    for (const name of readdirSync(place.maildir('b')))
      if (name.startsWith('dsync-journal')) rmSync(join(place.maildir('b'), name));
    place.deliver('b', 'three', { flags: 'S' });
    const second = await sync(first.stdout.trim());
    expect(second).toMatchObject({ status: 2, stdout: '\n' });
    expect(second.stderr.match(/Failed to do incremental sync for mailbox INBOX/g)).toHaveLength(1);
    expect(await sync('')).toMatchObject({ status: 0, stdout: expect.stringMatching(STATE), stderr: '' });
    expect(place.subjects('a')).toEqual(['one S', 'three S', 'two S']);
  });

  test('a dry run prints both sides’ plan and makes nothing', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    place.deliver('b', 'two', { user: 'u2', flags: 'S' });
    const before = [place.listing('a'), place.listing('b')];
    const fresh = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      '--dry-run',
      `maildir:${place.maildir('b')}`,
    ]);
    expect(fresh).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/remote:\n(.*\n)*.*save UID 1 \[\\Seen\] one \(new-mail\)\n/),
    });
    expect(place.listing('b')).toEqual(before[1]);
    expect(existsSync(place.maildir('b'))).toBe(false);
    expect(place.subjects('a')).toEqual(['one S']);
    const json = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      '--dry-run',
      '--json',
      `maildir:${place.maildir('b', 'u2')}`,
    ]);
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
    const there = [DSYNC_SERVER, '-o', place.mail('b'), '-u', 'u1', 'dsync-server'];
    const call = (...words: string[]): ReturnType<typeof run> =>
      run(DSYNC, ['-o', place.mail('a'), ...words, '-u', 'u1', '--dialect', dialect, ...there]);
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
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('dsync-dry-run-'))).toEqual([]);
  });

  test('in Dovecot’s text too; a dry run then says what the run does', async () => {
    using place = new Place();
    // As many on each side: the numbers of the two mailboxes are equal, the mails are not.
    for (const side of ['a', 'b'] as const) for (const n of [1, 2, 3]) place.deliver(side, `${side}${n}`);
    const there = [DSYNC_SERVER, '-o', place.mail('b'), '-u', 'u1', 'dsync-server'];
    const sync = async (...options: string[]): Promise<unknown> => {
      const words = ['sync', '-u', 'u1', '--dialect', 'dovecot', '--json', ...options, ...there];
      const outcome = await run(DSYNC, ['-o', place.mail('a'), ...words]);
      return JSON.parse(outcome.stdout).totals;
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
    const backup = ['-o', place.mail('a'), 'backup', '-u', 'u1', `maildir:${place.maildir('b')}`];
    expect((await run(DSYNC, backup)).status).toBe(0);
    place.deliver('b', 'extra', { flags: 'S' });
    place.deliver('b', 'more', { folder: '.Extra', flags: 'S' });
    expect((await run(DSYNC, backup)).status).toBe(0);
    expect([place.subjects('b'), place.subjects('b', '.Extra')]).toEqual([['one S'], []]);
    expect(place.subjects('a')).toEqual(['one S']);
  });

  test('-v names each operation and its rule', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const outcome = await run(DSYNC, [
      '-v',
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      `maildir:${place.maildir('b')}`,
    ]);
    expect(outcome.stderr).toMatch(/^dsync\(u1\): Info: remote: INBOX: save UID 1 \[\\Seen\] one \(new-mail\)$/m);
  });

  test('log lines as JSON', async () => {
    using place = new Place();
    const outcome = await run(DSYNC, [
      '--log-format',
      'json',
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      'tcp:127.0.0.1:1',
    ]);
    expect(JSON.parse(outcome.stderr)).toMatchObject({
      level: 'error',
      program: 'dsync',
      user: 'u1',
      message: expect.stringMatching(/^connect/),
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
});

describe('special uses that the settings give', () => {
  const CONFIG = `namespace inbox {
  inbox = yes
  separator = /
  mailbox Post {
    special_use = \\Sent
  }
  mailbox "Old Post" {
    special_use = \\sent
  }
  mailbox Bin {
    special_use = \\Trash \\Junk
  }
}
`;
  const start = (place: Place, folders: readonly string[]): ((...args: string[]) => Promise<number | string>) => {
    const file = join(place.folder, 'special.conf');
    writeFileSync(file, CONFIG);
    for (const folder of folders) place.deliver('a', `in-${folder}`, { folder });
    return async (...args) => {
      const words = ['-c', file, '-o', place.mail('a'), 'sync', '-u', 'u1', ...args, `maildir:${place.maildir('b')}`];
      const outcome = await run(DSYNC, words);
      return outcome.status === 0 ? 0 : `${outcome.status} ${outcome.stderr}`;
    };
  };

  test('-m takes the mailbox that is there', async () => {
    using place = new Place();
    const sync = start(place, ['', '.Post', '.Bin']);
    expect(await sync('-m', '\\Sent')).toBe(0);
    expect(place.subjects('b', '.Post')).toEqual(['in-.Post']);
    expect(existsSync(join(place.maildir('b'), '.Bin'))).toBe(false);
  });

  test('-x leaves out what has the use, by any of its uses', async () => {
    using place = new Place();
    const sync = start(place, ['', '.Post', '.Old Post', '.Bin', '.Else']);
    expect(await sync('-x', '\\SENT', '-x', '\\Junk')).toBe(0);
    expect(existsSync(join(place.maildir('b'), '.Else'))).toBe(true);
    for (const folder of ['.Post', '.Old Post', '.Bin'])
      expect(existsSync(join(place.maildir('b'), folder))).toBe(false);
  });

  test('what nothing or too much has is refused', async () => {
    using place = new Place();
    const sync = start(place, ['', '.Post', '.Old Post']);
    expect(await sync('-m', '\\Drafts')).toMatch(/^64 .*no mailbox has the special use \\Drafts in the settings/);
    expect(await sync('-m', '\\Sent')).toMatch(
      /^64 .*several mailboxes have the special use \\Sent: Post, Old Post; name one/,
    );
    expect(existsSync(join(place.maildir('b'), '.Post'))).toBe(false);
  });
});

describe('a command as the other side', () => {
  test('is started without a shell, and its stderr is passed on', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const outcome = await run(DSYNC, [
      '-v',
      '-o',
      place.mail('a'),
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
    ]);
    expect(outcome.status).toBe(0);
    expect(place.subjects('b')).toEqual(['one S']);
  });

  test('an unknown user there is said, once', async () => {
    using place = new Place();
    const outcome = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      DSYNC,
      '-o',
      place.mail('b'),
      'dsync-server',
      '-u',
      'nobody',
    ]);
    expect(outcome).toMatchObject({ status: 75, stderr: expect.stringMatching(/User doesn't exist: nobody/) });
  });

  test('remote: is the command of dsync_remote_cmd', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const ssh = join(place.folder, 'ssh');
    writeFileSync(
      ssh,
      `#!/bin/sh\necho "$@" >${place.folder}/words\nexec ${DSYNC_SERVER} -o ${place.mail('b')} -u u1\n`,
    );
    chmodSync(ssh, 0o755);
    const template = `dsync_remote_cmd=${ssh} -l%{login} %{host} doveadm dsync-server -u%u`;
    const outcome = await run(DSYNC, ['-o', place.mail('a'), '-o', template, 'sync', '-u', 'u1', 'remote:vmail@mx1']);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(place.folder, 'words'), 'utf8')).toBe('-lvmail mx1 doveadm dsync-server -uu1\n');
    expect(place.subjects('b')).toEqual(['one S']);
  });

  test('remoteprefix: names the user in the first line', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const template = `dsync_remote_cmd=${DSYNC_SERVER} -o ${place.mail('b')}`;
    const outcome = await run(DSYNC, ['-o', place.mail('a'), '-o', template, 'sync', '-u', 'u1', 'remoteprefix:mx1']);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(place.subjects('b')).toEqual(['one S']);
  });

  test('a peer’s doveadm can be ours under that name', async () => {
    using place = new Place();
    place.deliver('a', 'one', { flags: 'S' });
    const doveadm = join(place.folder, 'doveadm');
    symlinkSync(DSYNC, doveadm);
    const outcome = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      doveadm,
      '-o',
      place.mail('b'),
      'dsync-server',
      '-uu1',
      '-U',
    ]);
    // The last word is not dsync-server, so it is appended; one more word is ignored.
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(await run(doveadm, ['fetch'])).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(/^doveadm: Error: /),
    });
  });

  test('a command that stays is stopped with the run', async () => {
    using place = new Place();
    const outcome = await run(DSYNC, [
      '-o',
      place.mail('a'),
      'sync',
      '-u',
      'u1',
      '-T',
      '1',
      'sh',
      '-c',
      'cat >/dev/null',
    ]);
    expect(outcome).toMatchObject({ status: 75 });
  });
});

test('a raw log has the traffic, and is its owner’s alone', async () => {
  using place = new Place();
  place.deliver('a', 'one', { flags: 'S' });
  const log = join(place.folder, 'raw');
  await run(DSYNC, ['-o', place.mail('a'), 'sync', '-u', 'u1', '-r', log, `maildir:${place.maildir('b')}`]);
  expect(readFileSync(`${log}.out`, 'latin1')).toMatch(/^VERSION\tdsync\t3\t/);
  expect(readFileSync(`${log}.in`, 'latin1')).toMatch(/^VERSION\tdsync\t3\t/);
});

test.each([[['--help']], [['sync', '--help']], [['backup', '-h']], [['help', 'dsync-server']], [['--version']]])(
  '%j tells and ends',
  async (args) => {
    expect(await run(DSYNC, args)).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/./) });
  },
);
