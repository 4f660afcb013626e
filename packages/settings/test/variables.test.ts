import { describe, expect, test } from '@jest/globals';

import { expandPath, expandVariables, isSafeUserName } from '@dsync/settings';

const values = { user: 'Anna.B@Example.org', home: '/home/anna' };

test.each([
  ['%u', 'Anna.B@Example.org'],
  ['%n', 'Anna.B'],
  ['%d', 'Example.org'],
  ['%h/x', '/home/anna/x'],
  ['%%u', '%u'],
  ['%{user}', 'Anna.B@Example.org'],
  ['%{username}/%{domain}', 'Anna.B/Example.org'],
  ['%{user|username}', 'Anna.B'],
  ['%{user | domain | lower}', 'example.org'],
  ['%{user | upper}', 'ANNA.B@EXAMPLE.ORG'],
  ['%Lu', 'anna.b@example.org'],
  ['%Un', 'ANNA.B'],
  ['%L{domain}', 'example.org'],
  ['%1n/%n', 'A/Anna.B'],
  ['%1.2n', 'nn'],
  ['%-2.2n', '.B'],
  ['%{home}/Maildir', '/home/anna/Maildir'],
  ['no variable', 'no variable'],
])('%s becomes %s', (text, expected) => {
  expect(expandVariables(text, values)).toBe(expected);
});

test.each(['%{nothing}', '%{user | nothing}', '%x', '%Zu', '%{user | constructor}', '%{user | __proto__}'])(
  '%s is refused',
  (text) => {
    expect(() => expandVariables(text, values)).toThrow(/unknown/);
  },
);

test('a name without domain has an empty one', () => {
  expect(expandVariables('[%d][%n]', { user: 'anna', home: null })).toBe('[][anna]');
});

test.each([
  ['~/Maildir', '/home/anna/Maildir'],
  ['~', '/home/anna'],
  ['/a/~/b', '/a/~/b'],
])('%s is %s', (text, expected) => {
  expect(expandPath(text, values)).toBe(expected);
});

test('a home that is not known is an unknown user', () => {
  expect(() => expandPath('~/x', { user: 'x', home: null })).toThrow(
    expect.objectContaining({ code: 'NoSuchUser', exit: 67 }),
  );
});

describe('user names that can be put into a path', () => {
  test.each(['anna', 'anna@example.org', 'Ünï cöde', 'a.b', 'a%u', '$x', 'a'.repeat(255)])('%j', (name) => {
    expect(isSafeUserName(name)).toBe(true);
  });
  test.each([
    '',
    '.',
    '..',
    '.anna',
    '../etc',
    'a/b',
    '/etc',
    'a..b',
    'a\\b',
    'a\0b',
    'a\nb',
    '-u',
    '~root',
    'a\u0085b',
    'a'.repeat(256),
    'ü'.repeat(128),
  ])('not %j', (name) => {
    expect(isSafeUserName(name)).toBe(false);
  });
});
