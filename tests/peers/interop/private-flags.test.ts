/** A shared mailbox of a Dovecot's whose \Seen belongs to each user alone, kept in an index of its own (`INDEXPVT`). */
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { troubles } from '../rig/dovecot.ts';
import { mail, withImap } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type DovecotIs, type Ends, ours, type Pairing, startEnds } from './ends.ts';

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

const ourNamespace = (homes: string): string[] => [
  'namespace/inbox/inbox=yes',
  'namespace/inbox/separator=/',
  'namespace/public/prefix=Public/',
  'namespace/public/separator=/',
  `namespace/public/location=maildir:${homes}our-%u/public`,
];

function privateFlags(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'maildir', namespaceOf(version), ourNamespace),
    (started) => (ends = started),
    async (started) => {
      expect(troubles(await started.dovecot.log())).toEqual([]);
    },
  );

  const boxOf = (user: string): string => join(ends.dovecot.home(ours(user)), 'public/.Box/cur');
  /** The names of our files in the order of the mails, by their contents: Dovecot's names do not sort. */
  const filesOf = async (user: string): Promise<string[]> => {
    const names = await readdir(boxOf(user));
    const texts = await Promise.all(names.map((name) => readFile(join(boxOf(user), name), 'latin1')));
    return names
      .map((name, index) => ({ name, text: texts[index] ?? '' }))
      .toSorted((a, b) => (a.text < b.text ? -1 : 1))
      .map(({ name }) => name);
  };
  /** The letters of the flags that our files have, mail by mail. */
  const lettersOf = async (user: string): Promise<string[]> =>
    (await filesOf(user)).map((name) => name.replace(/^.*:2,/, ''));
  /** What a user does here: gives the mails these letters. */
  const setLetters = async (user: string, letters: readonly string[]): Promise<void> => {
    for (const [index, name] of (await filesOf(user)).entries())
      await rename(join(boxOf(user), name), join(boxOf(user), name.replace(/:2,.*/, `:2,${letters[index]}`)));
  };
  const theirFlags = async (user: string): Promise<string[]> => {
    const words = ['-f', 'tab', 'fetch', '-u', user, 'flags', 'mailbox', 'Public/Box', 'all'];
    const { stdout } = await ends.dovecot.doveadm(words);
    const lines = stdout.toString('utf8').split('\n').slice(1, -1);
    return lines.map((line) => line.replace(/ ?\\Recent ?/, ''));
  };
  const store = (user: string, ...stores: readonly string[]): Promise<void> =>
    withImap(ends, user, async (imap) => {
      await imap.command('SELECT Public/Box');
      for (const words of stores) await imap.command(`STORE ${words}`);
      await imap.command('UNSELECT');
    });
  const fill = (user: string): Promise<void> =>
    withImap(ends, user, async (imap) => {
      await imap.command('CREATE Public/Box');
      for (const text of ['1', '2', '3']) await imap.command('APPEND Public/Box', mail(text));
    });

  for (const dovecotIs of ['server', 'client'] satisfies DovecotIs[]) {
    const user = dovecotIs;
    const sync = async (...verb: readonly string[]): Promise<string> => {
      const homes = join(ends.dovecot.home('x'), '../');
      const settings = dovecotIs === 'server' ? ourNamespace(homes) : [];
      const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
      const { code, stdout, stderr } = await ends.sync(pairing, user, [...verb, '-n', 'Public/'], settings);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return stdout.toString('utf8');
    };
    const flags = async (): Promise<unknown> => ({ theirs: await theirFlags(user), ours: await lettersOf(user) });
    /** A run, and one more that has nothing to do. */
    const expectAfterRun = async (expected: unknown, verb: readonly string[] = ['sync']): Promise<void> => {
      await sync(...verb);
      expect(await flags()).toEqual(expected);
      const said = await sync(...verb);
      if (dovecotIs === 'server')
        expect(JSON.parse(said)).toMatchObject({ totals: { local: { flagged: 0 }, remote: { flagged: 0 } } });
      expect(await flags()).toEqual(expected);
    };

    test(`go both ways when the Dovecot is the ${dovecotIs}`, async () => {
      await ends.addUser(user);
      await fill(user);
      await store(user, '1 +FLAGS.SILENT (\\Seen)', '2 +FLAGS.SILENT (\\Seen \\Flagged Keyword)');
      await expectAfterRun({ theirs: ['\\Seen', '\\Flagged \\Seen Keyword', ''], ours: ['S', 'FSa', ''] });
      // Changed there …
      await store(user, '1 -FLAGS.SILENT (\\Seen)', '3 +FLAGS.SILENT (\\Seen)');
      await expectAfterRun({ theirs: ['', '\\Flagged \\Seen Keyword', '\\Seen'], ours: ['', 'FSa', 'S'] });
      // … and here, against what was done there before.
      await setLetters(user, ['RS', 'FSa', '']);
      await expectAfterRun({
        theirs: ['\\Answered \\Seen', '\\Flagged \\Seen Keyword', ''],
        ours: ['RS', 'FSa', ''],
      });
      // Both at once: each of the one's private changes, beside a shared one of the other's.
      await store(user, '1 -FLAGS.SILENT (\\Seen)', '2 +FLAGS.SILENT (\\Draft)');
      await setLetters(user, ['FRS', 'Fa', 'S']);
      await expectAfterRun({
        theirs: ['\\Answered \\Flagged', '\\Flagged \\Draft Keyword', '\\Seen'],
        ours: ['FR', 'DFa', 'S'],
      });
      // And back again.
      await setLetters(user, ['FRS', 'DFSa', '']);
      await expectAfterRun({
        theirs: ['\\Answered \\Flagged \\Seen', '\\Flagged \\Seen \\Draft Keyword', ''],
        ours: ['FRS', 'DFSa', ''],
      });
      // From state to state, with a change there and one here.
      let state = '';
      const runs = [
        { there: '1 -FLAGS.SILENT (\\Seen)', here: ['FRS', 'DFa', ''], ours: ['FR', 'DFa', ''] },
        { there: '2 +FLAGS.SILENT (\\Seen)', here: ['FR', 'DFa', 'S'], ours: ['FR', 'DFSa', 'S'] },
        { there: '2 -FLAGS.SILENT (\\Seen)', here: ['FRS', 'DFSa', ''], ours: ['FRS', 'DFa', ''] },
      ];
      for (const { there, here, ours: expected } of runs) {
        await store(user, there);
        await setLetters(user, here);
        state = (await sync('sync', '-s', state)).trim();
        const seen = expected.map((letters) => letters.includes('S'));
        expect({
          theirs: (await theirFlags(user)).map((shown) => shown.includes('Seen')),
          ours: await lettersOf(user),
        }).toEqual({ theirs: seen, ours: expected });
      }
      // One way, from either end.
      await setLetters(user, ['FR', 'DFSa', 'S']);
      const [fromHere, fromThere] = dovecotIs === 'server' ? [[], ['-R']] : [['-R'], []];
      const end = {
        theirs: ['\\Answered \\Flagged', '\\Flagged \\Seen \\Draft Keyword', '\\Seen'],
        ours: ['FR', 'DFSa', 'S'],
      };
      await expectAfterRun(end, ['backup', ...fromHere]);
      await setLetters(user, ['FRS', 'DFa', '']);
      await expectAfterRun(end, ['backup', ...fromThere]);
      // And merged, but kept at the destination alone.
      await store(user, '1 +FLAGS.SILENT (\\Seen)');
      await setLetters(user, ['FR', 'DFa', 'S']);
      await sync('sync', '-1', ...fromHere);
      expect(await flags()).toEqual({
        theirs: ['\\Answered \\Flagged \\Seen', '\\Flagged \\Draft Keyword', '\\Seen'],
        ours: ['FR', 'DFa', 'S'],
      });
      await setLetters(user, ['FR', 'DFa', '']);
      await store(user, '2 +FLAGS.SILENT (\\Seen)');
      await sync('sync', '-1', ...fromThere);
      expect(await flags()).toEqual({
        theirs: ['\\Answered \\Flagged \\Seen', '\\Flagged \\Seen \\Draft Keyword', '\\Seen'],
        ours: ['FRS', 'DFSa', ''],
      });
      // What everybody sees there has nobody's own flag.
      const shared = await readdir(join(ends.dovecot.home(user), 'public/.Box/cur'));
      expect(shared.filter((name) => /:2,.*S/.test(name))).toEqual([]);
    });
  }
}

withEachVersion(privateFlags);
