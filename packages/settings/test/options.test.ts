import { describe, expect, test } from '@jest/globals';

import { parseOptions, UsageError, type OptionSpec } from '@dsync/settings';

const SPECS: readonly OptionSpec[] = [
  { long: 'user', short: 'u', value: 'USER', help: '' },
  { long: 'state', short: 's', value: 'STATE', help: '' },
  { long: 'exclude-mailbox', short: 'x', value: 'MASK', multi: true, help: '' },
  { long: 'full-sync', short: 'f', help: '' },
  { long: 'reverse-sync', short: 'R', help: '' },
  { long: 'state-file', value: 'X', help: '' },
];

const parse = (...argv: string[]): { values: Record<string, readonly string[]>; rest: readonly string[] } => {
  const { options, rest } = parseOptions('sync', argv, SPECS);
  return {
    values: Object.fromEntries(SPECS.filter((s) => options.has(s.long)).map((s) => [s.long, options.all(s.long)])),
    rest,
  };
};

test.each([
  [['-u', 'anna', 'dest'], { user: ['anna'] }, ['dest']],
  [['-uanna', 'dest'], { user: ['anna'] }, ['dest']],
  [['-fRuanna'], { 'full-sync': [''], 'reverse-sync': [''], user: ['anna'] }, []],
  [['-s', '', 'dest'], { state: [''] }, ['dest']],
  [['--state=', 'dest'], { state: [''] }, ['dest']],
  [['--state', 'a=b'], { state: ['a=b'] }, []],
  [['--full', 'd'], { 'full-sync': [''] }, ['d']],
  [['-xa', '-x', 'b', '--exclude-mailbox=c'], { 'exclude-mailbox': ['a', 'b', 'c'] }, []],
  [['dest', '-f'], {}, ['dest', '-f']],
  [['-f', '--', '-u'], { 'full-sync': [''] }, ['-u']],
  [['-'], {}, ['-']],
  [['-u', '-f'], { user: ['-f'] }, []],
  [['-uü😀'], { user: ['ü😀'] }, []],
])('%j', (argv, values, rest) => {
  expect(parse(...argv)).toEqual({ values, rest });
});

describe('misuse, in the words of getopt', () => {
  test.each([
    [['-Q'], "sync: invalid option -- 'Q'"],
    [['-fQ'], "sync: invalid option -- 'Q'"],
    [['-u'], "sync: option requires an argument -- 'u'"],
    [['--nothing'], "sync: unrecognized option '--nothing'"],
    [['--user'], "sync: option '--user' requires an argument"],
    [['--full-sync=yes'], "sync: option '--full-sync' doesn't allow an argument"],
    [['--st'], "sync: option '--st' is ambiguous"],
  ])('%j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(new UsageError(message));
  });
});
