/** `-n` with a Dovecot whose INBOX is in a namespace with a prefix, and with one that lacks the namespace. */
import { expect, jest, test } from '@jest/globals';

import { judge, mail, withImap } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const WITH_PREFIX = 'namespace inbox {\n  prefix = INBOX/\n}';
const OURS_TOO = ['namespace/inbox/inbox=yes', 'namespace/inbox/separator=/', 'namespace/inbox/prefix=INBOX/'];

withEachVersion((version) => {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'maildir', WITH_PREFIX),
    (started) => (ends = started),
  );
  const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const satisfies Pairing;
  const append = (name: string, mailbox: string, text: string): Promise<void> =>
    withImap(ends, name, async (imap) => void (await imap.command(`APPEND ${mailbox}`, mail(text))));
  const counts = async (name: string): Promise<Readonly<Record<string, number>>> => {
    const { mailboxes } = await judge(ends, name);
    return Object.fromEntries(Object.entries(mailboxes).map(([box, { mails }]) => [box, mails.length]));
  };
  const begin = async (user: string): Promise<void> => {
    await ends.addUser(user);
    await withImap(ends, user, async (imap) => void (await imap.command('CREATE INBOX/Work')));
    await append(user, 'INBOX', 'one');
    await append(user, 'INBOX/Work', 'two');
  };
  const run = async (user: string, ...verb: readonly string[]): Promise<{ code: number | null; stderr: string }> => {
    const { code, stderr } = await ends.sync(pairing, user, verb, OURS_TOO);
    return { code, stderr };
  };
  const WELL = { code: 0, stderr: '' };

  test('INBOX goes with the namespace that has it, in a backup as well', async () => {
    await begin('prefixed');
    expect(await run('prefixed', 'sync', '-n', 'INBOX/')).toEqual(WELL);
    expect(await counts(ours('prefixed'))).toEqual({ INBOX: 1, 'INBOX/Work': 1 });
    await append(ours('prefixed'), 'INBOX', 'three');
    expect(await run('prefixed', 'backup', '-n', 'INBOX/')).toEqual(WELL);
    expect(await counts('prefixed')).toEqual({ INBOX: 2, 'INBOX/Work': 1 });
    await append('prefixed', 'INBOX', 'four');
    expect(await run('prefixed', 'backup', '-R', '-n', 'INBOX/')).toEqual(WELL);
    expect(await counts(ours('prefixed'))).toEqual({ INBOX: 3, 'INBOX/Work': 1 });
  });
});

withEachVersion((version) => {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
  );
  const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const satisfies Pairing;

  /** It takes its namespace without prefix for it, of which nothing is told: a backup would delete it all. */
  test.each(['sync', 'sync -1', 'backup', 'backup -R', 'sync --dry-run', 'backup --dry-run'])(
    '%s: a namespace that the Dovecot lacks is refused before anything is changed',
    async (command) => {
      const user = command.replaceAll(/[^a-z1]/gi, '').toLowerCase();
      await ends.addUser(user);
      await withImap(ends, user, async (imap) => void (await imap.command('APPEND INBOX', mail('one'))));
      await withImap(ends, ours(user), async (imap) => void (await imap.command('CREATE Archive/2020')));
      const before = [await judge(ends, user), await judge(ends, ours(user))];
      const { code, stderr } = await ends.sync(pairing, user, [...command.split(' '), '-n', 'Archive/']);
      expect({ code, stderr }).toEqual({
        code: 75,
        stderr: expect.stringContaining("Error: Namespace not found on the other side: 'Archive/'\n"),
      });
      expect([await judge(ends, user), await judge(ends, ours(user))]).toEqual(before);
    },
  );
});
