/** A backup into a Dovecot of an account of ours whose mail folder is not there: it never got any mail, or its path is mistyped. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';

import { judge, mail, withImap } from './accounts.ts';
import { letLogsBe, shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    letLogsBe,
  );

  describe.each(['server', 'client'] as const)('as %s', (dovecotIs) => {
    test.each([
      ['unused', [], 0],
      ['used', ['SELECT INBOX'], 0],
      ['with a mailbox', ['CREATE Work'], dovecotIs === 'server' ? 68 : 75],
      ['with a mail', ['APPEND INBOX'], dovecotIs === 'server' ? 68 : 75],
    ])('an account there that is %s', async (kind, commands, code) => {
      const user = `${dovecotIs}-${kind.replaceAll(' ', '-')}`;
      await ends.addUser(user);
      for (const command of commands)
        await withImap(ends, user, async (imap) => {
          await (command.startsWith('APPEND') ? imap.command(command, mail('one')) : imap.command(command));
        });
      const before = await judge(ends, user);
      const backup = dovecotIs === 'server' ? ['backup'] : ['backup', '-R'];
      for (const _run of [1, 2])
        expect((await ends.sync({ version, dovecotIs, carrier: 'tcp' }, user, backup)).code).toBe(code);
      expect(await judge(ends, user)).toEqual(before);
      const folder = join(ends.holder(ours(user)).home(ours(user)), 'Maildir');
      await expect(access(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });
}
