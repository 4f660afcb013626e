import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { loadSettings, resolveUser, SettingsError, type MailUser } from '@dsync/settings';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dsync-users-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const resolve = (user: string, ...overrides: string[]): MailUser =>
  resolveUser(loadSettings({ file: null, overrides }), user);

function refused(user: string, ...overrides: string[]): SettingsError {
  try {
    resolve(user, ...overrides);
  } catch (error) {
    if (error instanceof SettingsError) return error;
  }
  throw new Error('not refused');
}

test('a user whose folder is there exists', () => {
  mkdirSync(join(folder, 'u1', 'Maildir'), { recursive: true });
  expect(resolve('u1', `mail_location=maildir:${folder}/%u/Maildir`).location.path).toBe(`${folder}/u1/Maildir`);
});

test('an empty account, whose folder’s parent is there, can receive its first mail', () => {
  mkdirSync(join(folder, 'u1'));
  expect(resolve('u1', `mail_location=maildir:${folder}/%u/Maildir`).name).toBe('u1');
});

test('nobody else exists', () => {
  expect(refused('u2', `mail_location=maildir:${folder}/%u/Maildir`)).toMatchObject({
    exit: 67,
    message: "User doesn't exist: u2",
  });
});

test('a location without variables is everybody’s', () => {
  expect(resolve('anyone', `mail_location=maildir:${folder}/a/b/c`).location.path).toBe(`${folder}/a/b/c`);
});

test.each(['../u1', 'u1/../u2', '..', '.u1', 'u1\0', '-o'])('the name %j is nobody’s', (name) => {
  expect(refused(name, `mail_location=maildir:${folder}/%u`)).toMatchObject({ exit: 67 });
});

test('a static userdb knows everybody, and their homes', () => {
  const user = resolve(
    'u9',
    'mail_location=maildir:~/Maildir',
    'userdb/static/driver=static',
    `userdb/static/args=uid=5000 home=${folder}/%u`,
  );
  expect(user).toMatchObject({ home: `${folder}/u9`, location: { path: `${folder}/u9/Maildir` } });
});

test('a passwd-file says who exists', () => {
  const users = join(folder, 'users');
  writeFileSync(
    users,
    `# users\nu1:{PLAIN}x:5000:5000::${folder}/homes/u1::\nu2:::::/h::userdb_mail=maildir:/elsewhere\n`,
  );
  const overrides = ['mail_location=maildir:~/Maildir', 'userdb/x/driver=passwd-file', `userdb/x/args=${users}`];
  expect(resolve('u1', ...overrides).location.path).toBe(`${folder}/homes/u1/Maildir`);
  expect(resolve('u2', ...overrides).location.path).toBe('/elsewhere');
  expect(refused('u3', ...overrides).exit).toBe(67);
  expect(refused('u', ...overrides).exit).toBe(67);
});

test('a passwd-file that cannot be read, or whose name has an unknown variable, is named with the place that names it', () => {
  const from = (path: string): string[] => ['userdb/x/driver=passwd-file', `userdb/x/args=${path}`];
  expect(refused('u1@d1', ...from(`${folder}/%d/users`))).toMatchObject({
    exit: 78,
    message: expect.stringMatching(`^-o userdb/x/args: cannot read the users in ${folder}/d1/users: .*ENOENT`),
  });
  expect(refused('u1', ...from('/%q'))).toMatchObject({
    exit: 78,
    message: '-o userdb/x/args: unknown variable %q',
  });
});

test('without a mail location nothing can be served', () => {
  expect(refused('u1')).toMatchObject({ exit: 78, message: expect.stringContaining('mail_location is not set') });
});

test('a namespace with its own location is a separate one', () => {
  const user = resolve(
    'u1',
    `mail_location=maildir:${folder}`,
    'namespace/inbox/inbox=yes',
    'namespace/inbox/separator=/',
    'namespace/archive/separator=/',
    'namespace/archive/prefix=Archive/',
    `namespace/archive/location=maildir:${folder}/archive/%u`,
  );
  expect(user.namespaces).toMatchObject([
    { name: 'inbox', separateLocation: false, inbox: true, location: { path: folder } },
    { name: 'archive', separateLocation: true, inbox: false, location: { path: `${folder}/archive/u1` } },
  ]);
});
