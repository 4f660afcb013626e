/** What a user sees of a command line that cannot be carried out, and of one that only asks. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { DSYNC, Place, run } from './programs.ts';

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
  [['sync', '-u', 'u1', 'tcp:127.0.0.1:1', '--json'], 64, /is a whole destination: options stand before it/],
  [['sync', '-u', 'u1', 'maildir:/x', 'extra'], 64, /nothing after it \(extra\)/],
  [['sync', '-u', 'u1', '/tmp'], 64, /\/tmp is a folder, not a program; .* is written maildir:\/tmp$/m],
  [['help', 'fetch'], 64, /there is no help on "fetch", only on sync, backup, dsync-server/],
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
  [['--log-format', 'xml', 'sync', '-u', 'u1', 'maildir:/x'], 64, /--log-format is text or json, not "xml"/],
  [['dsync-server', 'dsync-server', 'more'], 64, /dsync-server: too many arguments: dsync-server more/],
] as const)('%j is answered by one line, with a status that says what it is', async (args, status, message) => {
  using place = new Place();
  const outcome = await place.dsync(...args);
  expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
  expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('both locations equal, also through a link, are refused', async () => {
  using place = new Place();
  place.deliver('a', 'm1');
  symlinkSync(place.maildir('a'), join(place.folder, 'link'));
  for (const path of [place.maildir('a'), join(place.folder, 'link')]) {
    const outcome = await place.dsync('sync', '-u', 'u1', `maildir:${path}`);
    expect(outcome).toMatchObject({ status: 64, stderr: expect.stringMatching(/points to same directory/) });
  }
});

test.each([
  ['maildir:A', 'maildir:A/.Sent', 64],
  ['maildir:A/.Old.2020', 'maildir:A', 64],
  ['maildir:A:LAYOUT=fs', 'maildir:A/backup', 64],
  ['maildir:A', 'maildir:A/backup', 0],
  ['maildir:A/.Sent', 'maildir:A/.Sent2', 0],
  ['maildir:A', 'maildir:AB', 0],
])('a store that is a mailbox of the other one is refused: %s, %s', async (own, other, status) => {
  using place = new Place();
  const at = (location: string): string => location.replace(':A', `:${place.folder}/A`);
  mkdirSync(join(place.folder, 'A'));
  const outcome = await run(DSYNC, ['-o', `mail_location=${at(own)}`, 'sync', '-u', 'u1', '--dry-run', at(other)]);
  expect([outcome.status, outcome.stderr.endsWith(' lie one in the other\n')]).toEqual([status, status === 64]);
});

test('with -D the stack is shown', async () => {
  using place = new Place();
  expect((await place.dsync('-D', 'sync', '-u', 'nobody', 'maildir:/x')).stderr).toMatch(/\n {4}at /);
});

test('with -D and JSON the stack is in a line of its own', async () => {
  using place = new Place();
  const outcome = await place.dsync('-D', '--log-format', 'json', 'sync', '-u', 'nobody', 'maildir:/x');
  const lines = outcome.stderr
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(lines.slice(-2)).toMatchObject([
    { level: 'error', message: "User doesn't exist: nobody" },
    { level: 'debug', message: expect.stringMatching(/\n {4}at /) },
  ]);
});

test('log lines as JSON', async () => {
  using place = new Place();
  const outcome = await place.dsync('--log-format', 'json', 'sync', '-u', 'u1', 'tcp:127.0.0.1:1');
  expect(JSON.parse(outcome.stderr)).toMatchObject({
    level: 'error',
    program: 'dsync',
    user: 'u1',
    message: expect.stringMatching(/^connect/),
  });
});

test.each([
  [['--help'], ['dsync sync', '--log-format', 'text|json: ']],
  [
    ['sync', '--help'],
    ['DATE: only mail', 'SECONDS: give up', 'DESTINATION: maildir:PATH', 'Exit status: 0 done'],
  ],
  [
    ['dsync-server', '--help'],
    ['ADDRESS: stay', 'FILE: write the traffic'],
  ],
])('%j says what values mean', async (args, parts) => {
  const { stdout } = await run(DSYNC, args);
  for (const part of parts) expect(stdout).toContain(part);
});

test.each([[['--help']], [['sync', '--help']], [['backup', '-h']], [['help', 'dsync-server']], [['--version']]])(
  '%j tells and ends',
  async (args) => {
    expect(await run(DSYNC, args)).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/./) });
  },
);
