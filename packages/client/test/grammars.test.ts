import { describe, expect, test } from '@jest/globals';

import { parseDate, parseDestination, parseFlag, parseSeconds, parseSize, remoteCommand } from '@dsync/client';
import { UsageError } from '@dsync/settings';

const NOW = 1_700_000_000_500;
const local = (year: number, month: number, day: number): number => new Date(year, month - 1, day).getTime() / 1000;

describe('dates', () => {
  test.each([
    ['2023-11-14', local(2023, 11, 14)],
    ['1-Jan-2020', local(2020, 1, 1)],
    ['01-jAN-2020', local(2020, 1, 1)],
    ['29-Feb-2024', local(2024, 2, 29)],
    ['1700000000', 1_700_000_000],
    ['0', 0],
    ['5m', 1_700_000_000 - 300],
    ['5 minutes', 1_700_000_000 - 300],
    ['1h', 1_700_000_000 - 3600],
    ['2 Weeks', 1_700_000_000 - 1_209_600],
    ['3d', 1_700_000_000 - 259_200],
    ['10s', 1_700_000_000 - 10],
    ['2000ms', 1_700_000_000 - 2],
    ['3000 milliseconds', 1_700_000_000 - 3],
  ])('%s', (text, expected) => {
    expect(parseDate('-t', text, NOW)).toBe(expected);
  });

  test.each([
    '',
    'yesterday',
    '2023-13-01',
    '2023-02-30',
    '30-Feb-2024',
    '1-Foo-2020',
    '5 x',
    '1500ms',
    '-5',
    '5 m m',
    '1e3',
    ' 5m',
    '99999 weeks',
    '2023-11-14 ',
    '123456789012',
  ])('%j is refused', (text) => {
    expect(() => parseDate('-t', text, NOW)).toThrow(UsageError);
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['10', 10],
    ['10B', 10],
    ['10 k', 10_240],
    ['1Ki', 1024],
    ['1KiB', 1024],
    ['1KB', 1024],
    ['2m', 2_097_152],
    ['3G', 3_221_225_472],
    ['1tib', 1_099_511_627_776],
  ])('%s', (text, expected) => {
    expect(parseSize('-I', text)).toBe(expected);
  });
  test.each(['', '10x', 'k', '-1', '1.5M', '10BB', '10Bi', '9999999999T', '1 0'])('%j is refused', (text) => {
    expect(() => parseSize('-I', text)).toThrow(UsageError);
  });
  test('in the words of the reference', () => {
    expect(() => parseSize('-I', '10x')).toThrow("Invalid -I parameter '10x': Invalid size: 10x");
  });
});

describe('flags', () => {
  test.each([
    ['\\Seen', '\\Seen'],
    ['\\sEEN', '\\Seen'],
    ['-\\deleted', '-\\Deleted'],
    ['work', 'work'],
    ['-$Label1', '-$Label1'],
  ])('%s', (text, expected) => {
    expect(parseFlag('-O', text)).toBe(expected);
  });
  test.each([
    ['\\Foo', "Invalid system flag given for -O parameter: '\\Foo'"],
    ['a b', "-O parameter doesn't support multiple flags currently"],
    ['', "Invalid keyword given for -O parameter: ''"],
    ['-', "Invalid keyword given for -O parameter: '-'"],
    ['a(b', "Invalid keyword given for -O parameter: 'a(b'"],
  ])('%j is refused', (text, message) => {
    expect(() => parseFlag('-O', text)).toThrow(new UsageError(message));
  });
});

test.each(['', 'abc', '-1', '1.5', '10s', '99999999999', ' 1'])('%j is no number of seconds', (text) => {
  expect(() => parseSeconds('-l', text)).toThrow(new UsageError(`Invalid -l parameter: ${text}`));
});

describe('destinations', () => {
  test.each([
    [['tcp:mx1'], { kind: 'tcp', host: 'mx1', port: null }],
    [['tcps:mx1.example.org:4711'], { kind: 'tcps', host: 'mx1.example.org', port: 4711 }],
    [['tcp:[::1]:4711'], { kind: 'tcp', host: '::1', port: 4711 }],
    [['tcp:[::1]'], { kind: 'tcp', host: '::1', port: null }],
    [['unix:/run/dsync/socket'], { kind: 'unix', path: '/run/dsync/socket' }],
    [['remote:mx1'], { kind: 'remote', login: '', host: 'mx1', user: null, prefix: false }],
    [['remote:a@b@mx1'], { kind: 'remote', login: 'a@b', host: 'mx1', user: null, prefix: false }],
    [['remoteprefix:root@mx1'], { kind: 'remote', login: 'root', host: 'mx1', user: null, prefix: true }],
    [['anna@mx1'], { kind: 'remote', login: '', host: 'mx1', user: 'anna', prefix: false }],
    [['mx1'], { kind: 'remote', login: '', host: 'mx1', user: null, prefix: false }],
    [['ssh', 'mx1', 'dsync'], { kind: 'command', argv: ['ssh', 'mx1', 'dsync', 'dsync-server'] }],
    [['ssh', 'mx1', 'dsync', 'dsync-server'], { kind: 'command', argv: ['ssh', 'mx1', 'dsync', 'dsync-server'] }],
    [['ssh  mx1 doveadm dsync-server'], { kind: 'command', argv: ['ssh', 'mx1', 'doveadm', 'dsync-server'] }],
    [['/usr/bin/other'], { kind: 'command', argv: ['/usr/bin/other'] }],
    [
      ['maildir:~/Backup:LAYOUT=fs'],
      { kind: 'local', location: { driver: 'maildir', path: '~/Backup', layout: 'fs' } },
    ],
  ])('%j', (words, expected) => {
    expect(parseDestination(words)).toEqual(expected);
  });

  test.each([
    [['tcp:']],
    [['tcp:mx1:0']],
    [['tcp:mx1:99999']],
    [['tcp:::1:4711']],
    [['tcps:mx1/x']],
    [['unix:']],
    [['remote:']],
    [['remote:-oProxyCommand=x']],
    [['remote:-lroot@mx1']],
    [['-x@mx1']],
    [['']],
    [[' ']],
  ])('%j is refused', (words) => {
    expect(() => parseDestination(words)).toThrow(UsageError);
  });
});

describe('the remote command', () => {
  const TEMPLATE = 'ssh -l%{login} %{host} doveadm dsync-server -u%u';
  test.each([
    [{ user: 'anna', login: 'vmail', host: 'mx1' }, ['ssh', '-lvmail', 'mx1', 'doveadm', 'dsync-server', '-uanna']],
    [{ user: 'anna', login: '', host: 'mx1' }, ['ssh', 'mx1', 'doveadm', 'dsync-server', '-uanna']],
    [{ user: 'a; rm -rf /', login: '', host: 'mx1' }, ['ssh', 'mx1', 'doveadm', 'dsync-server', '-ua; rm -rf /']],
  ])('%j', (values, argv) => {
    expect(remoteCommand(TEMPLATE, values)).toEqual(argv);
  });
  test('an unknown variable is a mistake of the settings', () => {
    expect(() => remoteCommand('ssh %{nothing}', { user: 'a', login: '', host: 'b' })).toThrow(/unknown variable/);
  });
});
