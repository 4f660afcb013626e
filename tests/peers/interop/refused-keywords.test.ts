/** Keywords in our Maildir that a Dovecot does not take: the others reach it, and none is lost here. */
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';

import { judge, mail, runWell, type User, withImap } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

/** Longer than it allows, with a character that no keyword of IMAP has, with letters of more than 7 bits. */
const REFUSED = ['long'.repeat(13), 'un(usual', 'été'];

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
  );
  const flagsOf = async (name: string): Promise<readonly string[]> =>
    (await judge(ends, name)).mailboxes['INBOX']?.mails.at(0)?.flags ?? [];

  describe.each(['server', 'client'] as const)('as %s', (dovecotIs) => {
    const pairing = { version, dovecotIs, carrier: 'tcp' } as const;

    test('are neither lost nor keep the others from going both ways', async () => {
      const user = await withKeywords(ends, dovecotIs, ['better', 'good', ...REFUSED]);
      for (const _run of [1, 2]) {
        await runWell(ends, pairing, user, ['sync']);
        expect(await flagsOf(user.theirs)).toEqual(['better', 'good']);
        expect(await flagsOf(user.ours)).toEqual(['better', 'good', ...REFUSED].toSorted());
      }
      await withImap(ends, user.theirs, async (imap) => {
        await imap.command('SELECT INBOX');
        await imap.command('STORE 1 -FLAGS.SILENT (good)');
        await imap.command('STORE 1 +FLAGS.SILENT (\\Flagged new)');
      });
      await runWell(ends, pairing, user, ['sync']);
      expect(await flagsOf(user.theirs)).toEqual(['\\Flagged', 'better', 'new']);
      expect(await flagsOf(user.ours)).toEqual(['\\Flagged', 'better', 'new', ...REFUSED].toSorted());
    });

    test('into a Dovecot by a backup', async () => {
      const user = await withKeywords(ends, dovecotIs, ['good', 'un(usual']);
      await runWell(ends, pairing, user, ['backup', ...(dovecotIs === 'client' ? ['-R'] : [])]);
      expect(await flagsOf(user.theirs)).toEqual(['good']);
      expect(await flagsOf(user.ours)).toEqual(['good', 'un(usual']);
    });
  });

  test('a longer one that the Dovecot’s own configuration allows, and ours knows of', async () => {
    const long = 'long'.repeat(13);
    const allows = 'mail_max_keyword_length = 60';
    await using other = await startEnds(version, 'maildir', allows);
    const user = await withKeywords(other, 'server', ['good', long]);
    const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const;
    const { code, stderr } = await other.sync(pairing, user.name, ['sync'], [allows.replaceAll(' ', '')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await judge(other, user.theirs)).mailboxes['INBOX']?.mails.at(0)?.flags).toEqual(['good', long]);
  });
}

let users = 0;

/** A user with one mail, at our end, that a mail reader on the files has given these keywords. */
async function withKeywords(ends: Ends, dovecotIs: Pairing['dovecotIs'], keywords: readonly string[]): Promise<User> {
  users += 1;
  const name = `kw${users}`;
  await ends.addUser(name);
  await withImap(ends, ours(name), (imap) => imap.command('APPEND INBOX', mail(name)).then(() => undefined));
  const folder = join(ends.holder(ours(name)).home(ours(name)), 'Maildir');
  await writeFile(join(folder, 'dovecot-keywords'), keywords.map((keyword, i) => `${i} ${keyword}\n`).join(''));
  const letters = keywords.map((_, i) => 'abcdef'.charAt(i)).join('');
  for (const place of ['new', 'cur'])
    for (const file of await readdir(join(folder, place)))
      await rename(join(folder, place, file), join(folder, 'cur', `${file.replace(/:.*/, '')}:2,${letters}`));
  const [starting, other] = dovecotIs === 'client' ? [name, ours(name)] : [ours(name), name];
  return { name, theirs: name, ours: ours(name), starting, other };
}
