/** What a mail and a mailbox have besides: POP3 UIDLs, metadata, names with %. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { deliverMails } from '../rig/raw-mails.ts';
import { backupElsewhere, expectNothingToDo, judge, makeUser, runWell } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const METADATA = {
  '2.3': 'mail_attribute_dict = file:%h/dovecot-attributes\nprotocol imap {\n  imap_metadata = yes\n}',
  '2.4': 'mail_attribute {\n  dict file {\n    path = %{home}/dovecot-attributes\n  }\n}\nimap_metadata = yes',
} as const;

const doveadm = async (ends: Ends, name: string, ...args: readonly string[]): Promise<string> => {
  const outcome = await ends.holder(name).doveadm(args);
  // It may only say that one of our mailboxes, of which it has an index, has taken another UIDVALIDITY.
  const stderr = outcome.stderr.replace(/^.*Warning: .*UIDVALIDITY changed.*\n/gm, '');
  expect({ args, code: outcome.code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return outcome.stdout.toString('utf8').trimEnd();
};

const fetched = (ends: Ends, name: string, fields: string): Promise<string> =>
  doveadm(ends, name, '-f', 'tab', 'fetch', '-u', name, fields, 'mailbox', 'INBOX');

const metadata = (ends: Ends, name: string, key: string): Promise<string> =>
  doveadm(ends, name, 'mailbox', 'metadata', 'get', '-u', name, 'Both', key);

const KEYS = ['/private/comment', '/shared/comment', '/private/vendor/example/long'];
const VALUES = ['a private text: äöü', 'a shared text', 'x'.repeat(3000)];

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'maildir', METADATA[version]),
    (started) => (ends = started),
  );
  const roles = ['server', 'client'] as const;

  test.each(roles)('POP3 UIDLs and order numbers stay with their mails (as %s)', async (dovecotIs) => {
    const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    const holder = ends.holder(user.theirs);
    const maildir = join(holder.home(user.theirs), 'Maildir');
    await deliverMails(
      holder,
      maildir,
      [1, 2, 3].map((n) => Buffer.from(`Subject: ${n}\n\n${n}\n`)),
    );
    await judge(ends, user.theirs);
    const file = join(maildir, 'dovecot-uidlist');
    const list = await readFile(file, 'utf8');
    const noted = list.replace(/^4 /m, '4 Pabc:1,2=3 O7 ').replace(/^5 /m, '5 P~!@#$% ');
    expect(noted).not.toBe(list);
    await writeFile(file, noted);
    const before = await fetched(ends, user.theirs, 'uid pop3.uidl pop3.order');
    expect(before).toContain('\tabc:1,2=3\t7');
    await runWell(ends, pairing, user, ['sync']);
    const uidls = async (name: string): Promise<readonly string[]> =>
      (await fetched(ends, name, 'pop3.uidl pop3.order')).split('\n').filter((line) => /abc:1|~!/.test(line));
    expect(await uidls(user.theirs)).toHaveLength(2);
    expect(await uidls(user.ours)).toEqual(await uidls(user.theirs));
    await expectNothingToDo(ends, pairing, user, ['sync']);
    expect(await uidls(await backupElsewhere(ends, pairing, user))).toEqual(await uidls(user.theirs));
  });

  test('a mailbox that is left out by a name with % is not touched', async () => {
    const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    await runWell(ends, pairing, user, ['sync']);
    await doveadm(ends, user.theirs, 'mailbox', 'create', '-u', user.theirs, '100% sure', 'Other');
    await runWell(ends, pairing, user, ['backup', '-x', '100% sure']);
    const names = async (name: string): Promise<readonly string[]> => Object.keys((await judge(ends, name)).mailboxes);
    expect(await names(user.theirs)).toEqual(['100% sure', ...(await names(user.ours))]);
    await doveadm(ends, user.theirs, 'mailbox', 'create', '-u', user.theirs, 'Other');
    await runWell(ends, pairing, user, ['sync', '-x', '100% sure']);
    expect(await names(user.theirs)).toEqual(['100% sure', ...(await names(user.ours))]);
    expect(await names(user.ours)).toContain('Other');
  });

  test.each(roles)('metadata travel (as %s)', async (dovecotIs) => {
    const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    for (const [i, key] of KEYS.entries())
      await doveadm(ends, user.theirs, 'mailbox', 'metadata', 'set', '-u', user.theirs, 'Both', key, VALUES[i] ?? '');
    await runWell(ends, pairing, user, ['sync']);
    const copy = await backupElsewhere(ends, pairing, user);
    const arrived = await Promise.all(KEYS.map((key) => metadata(ends, copy, key)));
    expect(arrived).toEqual(VALUES);
    await doveadm(
      ends,
      user.theirs,
      'mailbox',
      'metadata',
      'set',
      '-u',
      user.theirs,
      'Both',
      '/private/comment',
      'new',
    );
    await runWell(ends, pairing, user, ['sync']);
    await expectNothingToDo(ends, pairing, user, ['sync']);
    const again = await backupElsewhere(ends, pairing, user);
    expect(await metadata(ends, again, '/private/comment')).toBe('new');
  });
}
