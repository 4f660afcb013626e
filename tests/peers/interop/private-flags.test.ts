/** A shared mailbox of a Dovecot's whose \Seen belongs to each user alone, kept in an index of its own (`INDEXPVT`). */
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';

import { describeWith } from '../../support/needs.ts';
import { troubles } from '../rig/dovecot.ts';
import { mail, withImap } from './accounts.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const PUBLIC: Readonly<Record<Pairing['version'], string>> = {
  '2.3': 'location = maildir:~/public:INDEXPVT=~/private-flags',
  '2.4': 'mail_driver = maildir\n  mail_path = ~/public\n  mail_index_private_path = ~/private-flags',
};

const namespaceOf = (version: Pairing['version']): string => `namespace public {
  type = public
  prefix = Public/
  separator = /
  subscriptions = no
  ${PUBLIC[version]}
}`;

function privateFlags(version: Pairing['version']): void {
  const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const;
  let ends: Ends;
  beforeAll(async () => {
    ends = await startEnds(version, 'maildir', namespaceOf(version));
    await ends.addUser('a');
  });
  afterAll(async () => {
    try {
      expect(troubles(await ends.dovecot.log())).toEqual([]);
    } finally {
      await ends[Symbol.asyncDispose]();
    }
  });

  /** The letters of the flags that our files have, mail by mail. */
  const lettersOf = async (user: string): Promise<string[]> =>
    (await readdir(join(ends.dovecot.home(ours(user)), 'public/.Box/cur')))
      .sort()
      .map((name) => name.replace(/^.*:2,/, ''));
  const theirFlags = async (user: string): Promise<string[]> => {
    const words = ['-f', 'tab', 'fetch', '-u', user, 'flags', 'mailbox', 'Public/Box', 'all'];
    const { stdout } = await ends.dovecot.doveadm(words);
    const lines = stdout.toString('utf8').split('\n').slice(1, -1);
    return lines.map((line) => line.replace(/ ?\\Recent ?/, ''));
  };
  const sync = async (user: string, verb: readonly string[]): Promise<unknown> => {
    const folder = join(ends.dovecot.home('x'), '../our-%u/public');
    const { code, stderr } = await ends.sync(
      pairing,
      user,
      [...verb, '-n', 'Public/'],
      [
        'namespace/inbox/inbox=yes',
        'namespace/inbox/separator=/',
        'namespace/public/prefix=Public/',
        'namespace/public/separator=/',
        `namespace/public/location=maildir:${folder}`,
      ],
    );
    return { code, stderr };
  };
  const fill = (user: string): Promise<void> =>
    withImap(ends, user, async (imap) => {
      await imap.command('CREATE Public/Box');
      for (const text of ['one', 'two', 'three']) await imap.command('APPEND Public/Box', mail(text));
      await imap.command('SELECT Public/Box');
      await imap.command('STORE 1 +FLAGS.SILENT (\\Seen)');
      await imap.command('STORE 2 +FLAGS.SILENT (\\Seen \\Flagged Keyword)');
      await imap.command('UNSELECT');
    });

  test('come here, as any flag; what is set here does not get there, and other flags do', async () => {
    await fill('a');
    expect(await theirFlags('a')).toEqual(['\\Seen', '\\Flagged \\Seen Keyword', '']);
    expect(await sync('a', ['sync'])).toEqual({ code: 0, stderr: '' });
    expect(await lettersOf('a')).toEqual(['S', 'FSa', '']);
    await withImap(ends, 'a', async (imap) => {
      await imap.command('SELECT Public/Box');
      await imap.command('STORE 1 -FLAGS.SILENT (\\Seen)');
      await imap.command('STORE 3 +FLAGS.SILENT (\\Seen)');
      await imap.command('UNSELECT');
    });
    expect(await sync('a', ['sync'])).toEqual({ code: 0, stderr: '' });
    expect(await lettersOf('a')).toEqual(['', 'FSa', 'S']);
    const cur = join(ends.dovecot.home(ours('a')), 'public/.Box/cur');
    const [first = '', , third = ''] = (await readdir(cur)).sort();
    await rename(join(cur, first), join(cur, first.replace(/:2,.*/, ':2,RS')));
    await rename(join(cur, third), join(cur, third.replace(/:2,.*/, ':2,')));
    const end = { theirs: ['\\Answered', '\\Flagged \\Seen Keyword', '\\Seen'], ours: ['RS', 'FSa', ''] };
    for (let run = 1; run <= 2; run += 1) {
      expect(await sync('a', ['sync'])).toEqual({ code: 0, stderr: '' });
      expect({ theirs: await theirFlags('a'), ours: await lettersOf('a') }).toEqual(end);
    }
  });
}

describeWith(['root', 'dovecot23'], 'with Dovecot 2.3', () => privateFlags('2.3'));
describeWith(['root', 'dovecot24'], 'with Dovecot 2.4', () => privateFlags('2.4'));
