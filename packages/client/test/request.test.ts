import { expect, test } from '@jest/globals';

import { buildRequest, SYNC_OPTIONS, type SyncRequest } from '@dsync/client';
import { loadSettings, parseOptions } from '@dsync/settings';

const settings = loadSettings({ file: null, overrides: [] });

function request(command: 'sync' | 'backup', ...argv: string[]): SyncRequest {
  const { options, rest } = parseOptions(command, argv, SYNC_OPTIONS);
  return buildRequest(options, rest, { command, settings, now: 1_700_000_000_000, environmentUser: 'env' });
}

test.each(['public', 'shared'])('a namespace of type %s is not taken for the one without a prefix', (type) => {
  const overrides = [`namespace/x/type=${type}`, 'namespace/x/prefix=X/'];
  const context = { settings: loadSettings({ file: null, overrides }), now: 0, environmentUser: 'env' };
  const { options, rest } = parseOptions('sync', ['-n', 'X/', 'd'], SYNC_OPTIONS);
  expect(() => buildRequest(options, rest, { command: 'sync', ...context })).toThrow(
    '-n X/: a namespace of type public or shared is not synchronised',
  );
});

test.each([
  ['sync', ['d'], { mode: 'two-way', reverse: false, algorithm: 'changed', state: null }],
  ['sync', ['-1', 'd'], { mode: 'one-way' }],
  ['sync', ['-1R', 'd'], { mode: 'one-way', reverse: true }],
  ['backup', ['-R', 'd'], { mode: 'backup', reverse: true }],
  ['sync', ['-f', 'd'], { algorithm: 'full' }],
  ['sync', ['-s', '', 'd'], { algorithm: 'changed', state: null }],
  ['sync', ['-s', 'AQAAAHm4+Jk=', 'd'], { algorithm: 'state', state: new Map() }],
  ['sync', ['-f', '-s', 'AQAAAHm4+Jk=', 'd'], { algorithm: 'full' }],
  ['sync', ['-s', '!!!', 'd'], { algorithm: 'full', state: null }],
  ['sync', ['-m', '', 'd'], { selection: { mailbox: '', exclude: [], namespaces: [], allNamespaces: false } }],
  [
    'sync',
    ['-xa', '-xb', '-nA/', '-N', 'd'],
    { selection: { exclude: ['a', 'b'], namespaces: ['A/'], allNamespaces: true } },
  ],
  [
    'sync',
    ['-g', '000000000000000000000000000000A1', 'd'],
    {
      selection: { mailboxGuid: '000000000000000000000000000000a1', exclude: [], namespaces: [], allNamespaces: false },
    },
  ],
  [
    'sync',
    ['-t', '100', '-e', '200', '-I', '1k', '-O', '\\seen', 'd'],
    { filter: { since: 100, until: 200, maxSize: 1024, flag: '\\Seen' } },
  ],
  ['sync', ['-l5', '-T', '7', 'd'], { lockTimeout: 5, stallTimeout: 7 }],
] as const)('%s %j', (command, argv, expected) => {
  expect(request(command, ...argv).options).toMatchObject(expected);
});

test('the user is -u, or the environment’s', () => {
  expect([request('sync', 'd').user, request('sync', '-uanna', 'd').user]).toEqual(['env', 'anna']);
});

test('a state is asked for by -s, also by an empty one', () => {
  expect([request('sync', 'd').printState, request('sync', '-s', '', 'd').printState]).toEqual([false, true]);
});

test.each([
  [['-l', 'abc', 'd'], 'Invalid -l parameter: abc', 64],
  [['--connect-timeout', '0', 'd'], '--connect-timeout needs at least 1 second, not 0', 64],
  [['-g', '0'.repeat(32), 'd'], `Invalid -g parameter: ${'0'.repeat(32)}`, 64],
  [['-t', '200', '-e', '100', 'd'], 'start date is later than end date', 64],
  [['--progress', 'maybe', 'd'], '--progress is one of auto, always, never, not "maybe"', 64],
  [[], 'the destination is missing (dsync sync [options] DESTINATION; see --help)', 64],
  [['-d'], 'User has no mail_replica in userdb', 68],
  [['-d', 'd'], "Don't give mail location with -d parameter", 64],
  [['-u', 'u*', 'd'], '-u is one user; masks are not known yet: "u*"', 64],
])('%j', (argv, message, exit) => {
  expect(() => request('sync', ...argv)).toThrow(expect.objectContaining({ message, exit }));
});

test.each([
  ['1', 1_000],
  ['2147483647', 2_147_483_647],
])('a connection may take %s s at the most, and no longer than a timer runs', (seconds, ms) => {
  expect(request('sync', '--connect-timeout', seconds, 'd').connectTimeoutMs).toBe(ms);
});

test('a backup has no -1', () => {
  expect(() => request('backup', '-1', 'd')).toThrow("backup: invalid option -- '1'");
});
