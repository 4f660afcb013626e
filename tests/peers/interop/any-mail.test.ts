/**
 * Real and odd mail in both directions: what a Dovecot sends arrives here byte for byte; what it gets from here it stores as
 * it stores the same mail from a Dovecot.
 */
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';

import { describeWith } from '../../support/needs.ts';
import { fillWithCorpus } from '../rig/corpus.ts';
import type { Dovecot } from '../rig/dovecot.ts';
import { ImapClient } from '../rig/imap.ts';
import { quoteName } from '../rig/mailbox-names.ts';
import { ODD_MAILS } from '../rig/odd-mails.ts';
import { deliverMails, rawMails } from '../rig/raw-mails.ts';
import { expectNothingToDo, expectSame, judge, runWell, type User } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(120_000);

const maildirOf = (ends: Ends, name: string): string => join(ends.holder(name).home(name), 'Maildir');

/** A Dovecot's Maildir keeps no CR before LF, and none at the end. */
const ALTERED_BY_DOVECOT: readonly string[] = [
  'one CRLF',
  'one CR',
  'CRLF throughout',
  'line ends mixed',
  'CR at the end',
  'bare CRs',
  'CR CR LF',
  'lines of dots with CRLF',
  'what ends a mail on the wire, inside it',
  'a dot behind a CR',
  'only blank lines',
  '65,536 bytes',
  '65,537 bytes',
  'CR and LF in two chunks',
  '200,000 bytes of dots and line ends',
];

let users = 0;

const makeUser = async (ends: Ends, { dovecotIs }: Pairing): Promise<User> => {
  users += 1;
  const name = `a${users}`;
  await ends.addUser(name);
  const [starting, other] = dovecotIs === 'client' ? [name, ours(name)] : [ours(name), name];
  return { name, theirs: name, ours: ours(name), starting, other };
};

const backupOf = (user: User, source: string): string[] => ['backup', ...(user.starting === source ? [] : ['-R'])];

/** What a Dovecot makes of an account that it gets from a Dovecot. */
const asDovecotKeeps = async (ends: Ends, name: string): Promise<ReadonlyMap<string, string>> => {
  const { dovecot } = ends;
  const copy = `${name}-copy`;
  await ends.addUser(copy);
  const words = dovecot.doveadmCommand(['dsync-server', '-u', copy]);
  const command = words.slice(words.indexOf('doveadm'));
  const path = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin';
  const outcome = await dovecot.doveadm(['backup', '-u', name, 'env', '-i', path, ...command]);
  expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: '' });
  return await rawMails(join(dovecot.home(copy), 'Maildir'));
};

const imapCommands = async (ends: Ends, name: string, commands: readonly string[]): Promise<void> => {
  await using imap = await ImapClient.login(ends.holder(name).imapPort, name);
  for (const command of commands) await imap.command(command);
};

/** What users do meanwhile at both ends of a large account. */
const CHANGES_THERE: readonly string[] = [
  `SELECT ${quoteName('Ärger')}`,
  'UID STORE 8 -FLAGS.SILENT (\\Seen $Forwarded)',
  'UID STORE 9 +FLAGS.SILENT (Both)',
  `SELECT ${quoteName('R&D')}`,
  'UID STORE 3 +FLAGS.SILENT (\\Deleted)',
  'EXPUNGE',
  `UNSUBSCRIBE ${quoteName('Sent')}`,
];
const CHANGES_HERE: readonly string[] = [
  `SELECT ${quoteName('Ärger')}`,
  'UID STORE 9 +FLAGS.SILENT (\\Seen)',
  `SELECT ${quoteName('R&D')}`,
  `UID COPY 6:8 ${quoteName('Sent')}`,
  'UID STORE 4 +FLAGS.SILENT (\\Deleted)',
  'EXPUNGE',
  `SUBSCRIBE ${quoteName('Archive/2024/Lists')}`,
];

/** Mails of which the bytes differ. */
const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] => {
  expect([...b.keys()].toSorted()).toEqual([...a.keys()].toSorted());
  return [...a.keys()].filter((key) => a.get(key) !== b.get(key));
};

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
  );
  const holder = (): Dovecot => ends.dovecot;
  const carriers = (['server', 'client'] as const).map(
    (dovecotIs) => ({ version, dovecotIs, carrier: 'tcp' }) as const,
  );
  const odd = Object.values(ODD_MAILS);

  describe.each(carriers)('as $dovecotIs', (pairing) => {
    test('odd mail arrives here as it is', async () => {
      const user = await makeUser(ends, pairing);
      await deliverMails(holder(), maildirOf(ends, user.theirs), odd);
      const sent = await judge(ends, user.theirs);
      await runWell(ends, pairing, user, ['sync']);
      expect(await expectSame(ends, user)).toEqual(sent);
      const raw = await rawMails(maildirOf(ends, user.theirs));
      expect(raw.size).toBe(odd.length);
      expect(differing(raw, await rawMails(maildirOf(ends, user.ours)))).toEqual([]);
      await expectNothingToDo(ends, pairing, user, ['sync']);
    });

    test('odd mail from here is kept there as if it came from a Dovecot', async () => {
      const user = await makeUser(ends, pairing);
      await deliverMails(holder(), maildirOf(ends, user.ours), odd);
      const kept = await asDovecotKeeps(ends, user.ours);
      await runWell(ends, pairing, user, backupOf(user, user.ours));
      const theirs = await rawMails(maildirOf(ends, user.theirs));
      expect(differing(kept, theirs)).toEqual([]);
      const changed = differing(await rawMails(maildirOf(ends, user.ours)), theirs);
      // Mails lie in the order of the table, so that UIDs are their places.
      const names = Object.keys(ODD_MAILS);
      expect(changed.map((key) => names[Number(key) - 1])).toEqual(ALTERED_BY_DOVECOT);
      await runWell(ends, pairing, user, backupOf(user, user.ours));
      expect(await rawMails(maildirOf(ends, user.theirs))).toEqual(theirs);
    });

    test('odd mail of both ends meets', async () => {
      const user = await makeUser(ends, pairing);
      const half = odd.length >> 1;
      await deliverMails(holder(), maildirOf(ends, user.theirs), odd.slice(0, half));
      await deliverMails(holder(), maildirOf(ends, user.ours), odd.slice(half), 'here.example.org');
      await runWell(ends, pairing, user, ['sync']);
      const names = (await judge(ends, user.theirs)).mailboxes['INBOX']?.mails.map(({ uid, guid }) => [uid, guid]);
      expect(names).toHaveLength(odd.length);
      expect((await judge(ends, user.ours)).mailboxes['INBOX']?.mails.map(({ uid, guid }) => [uid, guid])).toEqual(
        names,
      );
      await expectNothingToDo(ends, pairing, user, ['sync']);
    });
  });

  describeWith(['corpus'], 'all the sample mail', () => {
    test.each(carriers)('from there to here, then changes of both (as $dovecotIs)', async (pairing) => {
      const user = await makeUser(ends, pairing);
      const { files } = await fillWithCorpus(holder(), user.theirs);
      const sent = await judge(ends, user.theirs);
      expect(sent.doveadm.mails).toHaveLength(files.length);
      await runWell(ends, pairing, user, pairing.dovecotIs === 'client' ? ['sync'] : backupOf(user, user.theirs));
      expect(await expectSame(ends, user)).toEqual(sent);
      const raw = await rawMails(maildirOf(ends, user.theirs));
      expect(differing(raw, await rawMails(maildirOf(ends, user.ours)))).toEqual([]);
      await expectNothingToDo(ends, pairing, user, ['sync']);

      await imapCommands(ends, user.theirs, CHANGES_THERE);
      await imapCommands(ends, user.ours, CHANGES_HERE);
      await runWell(ends, pairing, user, ['sync']);
      const merged = await expectSame(ends, user);
      const flagsOf = (name: string, uid: number): readonly string[] | undefined =>
        merged.mailboxes[name]?.mails.find((mail) => mail.uid === uid)?.flags;
      expect(flagsOf('Ärger', 8)).toEqual([]);
      expect(flagsOf('Ärger', 9)).toEqual(['$Forwarded', 'Both', '\\Seen']);
      expect(flagsOf('R&D', 3)).toBeUndefined();
      expect(flagsOf('R&D', 4)).toBeUndefined();
      expect(merged.mailboxes['Sent']?.mails.length).toBe((sent.mailboxes['Sent']?.mails.length ?? 0) + 3);
      await expectNothingToDo(ends, pairing, user, ['sync']);
    });

    test.each(carriers)('from here to there (as $dovecotIs)', async (pairing) => {
      const user = await makeUser(ends, pairing);
      const { files } = await fillWithCorpus(holder(), user.ours);
      const kept = await asDovecotKeeps(ends, user.ours);
      await runWell(ends, pairing, user, backupOf(user, user.ours));
      expect(kept.size).toBe(files.length);
      expect(differing(kept, await rawMails(maildirOf(ends, user.theirs)))).toEqual([]);
      const [sent, arrived] = [await judge(ends, user.ours), await judge(ends, user.theirs)];
      expect(Object.keys(arrived.mailboxes)).toEqual(Object.keys(sent.mailboxes));
    });
  });
}
