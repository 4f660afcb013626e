/** Maildirs in which a Dovecot compresses mail: ours, and its own. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { expectNothingToDo, expectSame, makeUser, mail, runWell, withImap } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const COMPRESS = {
  '2.3': 'mail_plugins = zlib\nplugin {\n  zlib_save = gz\n}',
  '2.4': 'mail_plugins {\n  mail_compress = yes\n}\nmail_compress_write_method = gz',
} as const;

withEachVersion((version) => {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'maildir', COMPRESS[version]),
    (started) => (ends = started),
  );

  test.each(['server', 'client'] as const)(
    'as %s: mails arrive as they are, not as they lie in their files',
    async (dovecotIs) => {
      const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
      const user = await makeUser(ends, pairing);
      for (const name of [user.theirs, user.ours])
        await withImap(ends, name, async (imap) => {
          await imap.command('APPEND INBOX', mail(`large ${Buffer.alloc(300_000, `line of ${name}\r\n`).toString()}`));
        });
      const folder = join(ends.holder(user.ours).home(user.ours), 'Maildir/new');
      const [first = ''] = await readdir(folder);
      expect((await readFile(join(folder, first))).subarray(0, 2).toString('hex')).toBe('1f8b');
      await runWell(ends, pairing, user, ['sync']);
      await expectSame(ends, user);
      await expectNothingToDo(ends, pairing, user, ['sync']);
    },
  );
});
