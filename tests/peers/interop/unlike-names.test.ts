/** A Dovecot with LAYOUT=fs has names that our Maildir++ cannot have: it keeps them, and after one run nothing is left to do. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { NOTHING, totalsOf } from '../../support/printed-result.ts';
import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { create, expectQuietLogs, judge } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type DovecotIs, type Ends, ours, startEnds } from './ends.ts';

jest.setTimeout(120_000);

const FS = {
  '2.3': 'mail_location = maildir:~/Maildir:LAYOUT=fs',
  '2.4': 'mailbox_list_layout = fs',
} as const satisfies Record<DovecotVersion, string>;
/** Longer than the name of a file can be, and after `mailbox-` in order. */
const LONG = Array.from({ length: 8 }, (_, i) => `part${i}-${'n'.repeat(32)}`).join('/');
const NAMES = ['x.y', 'x_y', 'x.y/below', 'x_y/below', 'dir.1/x', 'dir_1/x', LONG, 'With/.hidden'];

/** A name that nobody would know is told of once. */
const WARNING = /^dsync\S+: Warning: mailbox "part0-.* cannot have its name here, .*: it is mailbox-[0-9a-f]{40}\n?$/;

withEachVersion((version) => {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'maildir', `${FS[version]}\nnamespace inbox {\n  separator = /\n}`),
    (started) => (ends = started),
    (started) => expectQuietLogs(started, WARNING),
  );
  const folders = async (user: string): Promise<readonly string[]> =>
    (await readdir(join(ends.dovecot.home(ours(user)), 'Maildir'))).filter((name) => name.startsWith('.')).sort();

  test.each<[DovecotIs, string]>([
    ['server', 'sync'],
    ['server', 'sync -1 -R'],
    ['server', 'backup -R'],
    ['client', 'sync'],
    ['client', 'sync -1'],
    ['client', 'backup'],
  ])('a Dovecot as the %s, %s', async (dovecotIs, verb) => {
    const user = `${dovecotIs}${verb.replaceAll(/\W/g, '')}`.toLowerCase();
    await ends.addUser(user);
    for (const name of NAMES) await create(ends, user, name);
    const before = await judge(ends, user);
    const run = async (said: RegExp): Promise<void> => {
      const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
      const { code, stderr, stdout } = await ends.sync(pairing, user, verb.split(' '));
      // Only our own client tells what it did there, and warns on its stderr.
      const isOurs = dovecotIs === 'server';
      const there = isOurs ? totalsOf(String(stdout)).remote : NOTHING;
      expect({ code, stderr, there }).toEqual({
        code: 0,
        stderr: expect.stringMatching(isOurs ? said : /^/),
        there: NOTHING,
      });
      expect(await judge(ends, user)).toEqual(before);
    };
    await run(WARNING);
    const first = await folders(user);
    expect(first).toHaveLength(NAMES.length);
    await run(/^$/);
    await run(/^$/);
    expect(await folders(user)).toEqual(first);
  });
});
