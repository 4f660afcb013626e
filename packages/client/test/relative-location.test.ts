/** Mail whose location is told from the folder in which the program is started. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { DSYNC, DSYNC_SERVER, Place, run, type Outcome } from './programs.ts';

/** More than are made durable one by one: then whole file systems are flushed, by a program that runs elsewhere. */
const MANY = 60;

const server = (location: string): readonly string[] => [
  DSYNC_SERVER,
  '-o',
  `mail_location=${location}`,
  '-u',
  'u1',
  'dsync-server',
];

const sync = (location: string, destination: readonly string[], cwd: string): Promise<Outcome> =>
  run(DSYNC, ['-o', `mail_location=${location}`, 'sync', '-u', 'u1', '--json', ...destination], {}, cwd);

test.each([
  ['to a destination', 'maildir:a/%u/Maildir', ['maildir:b/u1/Maildir']],
  [
    'with dots and folders of their own',
    'maildir:./a/%u/Maildir:CONTROL=a/numbers:INDEX=./a/notes/%u',
    ['maildir:./b/u1/Maildir'],
  ],
  ['from below', 'maildir:../mail/../a/%u/Maildir', ['maildir:../b/u1/Maildir'], 'mail'],
  ['to a command', 'maildir:./a/%u/Maildir', server('maildir:b/%u/Maildir')],
] as const)('many mails go both ways, %s', async (_name, location, destination, cwd: string = '') => {
  using place = new Place();
  mkdirSync(join(place.folder, cwd), { recursive: true });
  for (let mail = 100; mail < 100 + MANY; mail++) {
    place.deliver('a', `a${mail}`);
    place.deliver('b', `b${mail}`, { folder: '.Sent', flags: 'S' });
  }
  const first = await sync(location, destination, join(place.folder, cwd));
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({ totals: { local: { saved: 60 }, remote: { saved: 60 } } });
  for (const side of ['a', 'b'] as const) {
    expect(place.subjects(side)).toHaveLength(60);
    expect(place.subjects(side, '.Sent')).toHaveLength(60);
  }
  const again = await sync(location, destination, join(place.folder, cwd));
  expect(JSON.parse(again.stdout)).toMatchObject({
    exitCode: 0,
    totals: { local: { saved: 0 }, remote: { saved: 0 } },
  });
});

test.each([
  ['to a destination', 'maildir:new/mail', ['maildir:./other']],
  ['to a command', 'maildir:./new', server('maildir:other/mail')],
  ['with folders of their own', 'maildir:new/../mail:CONTROL=./numbers/%u:INDEX=notes', ['maildir:other/']],
] as const)(
  'stores that are not there yet are made, and nothing around them is changed, %s',
  async (_name, location, destination) => {
    using place = new Place();
    const above = join(place.folder, 'a');
    const within = join(above, 'run');
    mkdirSync(within);
    const modes = (): number[] => [within, above, place.folder].map((folder) => statSync(folder).mode & 0o7777);
    const before = modes();
    expect(await sync(location, destination, within)).toMatchObject({ status: 0, stderr: '' });
    expect(modes()).toEqual(before);
    expect(existsSync(join(within, 'other'))).toBe(true);
  },
);
