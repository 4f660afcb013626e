/** All the sample mail through our programs, judged by a real Dovecot 2.3 at both ends. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { sharedFolder } from '../support/places.ts';
import { asImapShows, fillWithCorpus, hashMailFiles, NAMES } from './rig/corpus.ts';
import { type Dovecot, startDovecot } from './rig/dovecot.ts';
import { ImapClient } from './rig/imap.ts';
import { type JudgedAccount, judgeAccount, sha256 } from './rig/judge.ts';
import { quoteName } from './rig/mailbox-names.ts';
import { expectNothingToDo, expectSame, FAR, NEAR, synchronise } from './rig/two-ends.ts';

jest.setTimeout(180_000);

const MAIL = Buffer.from('From: a@example.org\r\nSubject: new\r\n\r\nNew mail\r\n');

const bodiesOf = (account: JudgedAccount): string[] =>
  Object.values(account.mailboxes)
    .flatMap(({ mails }) => mails.map((mail) => mail.sha256))
    .sort();

const expectedBodies = async (): Promise<Set<string>> => {
  const root = join(sharedFolder, 'corpus');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.eml'));
  const hashes = await Promise.all(
    files.map(async (file) => sha256(asImapShows(await readFile(join(file.parentPath, file.name))))),
  );
  return new Set(hashes);
};

const changeNear = async (dovecot: Dovecot): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, NEAR);
  await imap.command('APPEND INBOX (\\Seen FromNear)', MAIL);
  await imap.command(`SELECT ${quoteName('R&D')}`);
  await imap.command('UID STORE 3,4 +FLAGS.SILENT (\\Deleted)');
  await imap.command('UID EXPUNGE 3,4');
  await imap.command('UID STORE 6 FLAGS.SILENT (\\Flagged NearOnly)');
  await imap.command(`UID COPY 6:8 ${quoteName('Sent')}`);
  await imap.command('UNSELECT');
  await imap.command(`CREATE ${quoteName('Neu/ganz neu ß')}`);
  await imap.command(`SUBSCRIBE ${quoteName('Neu/ganz neu ß')}`);
  await imap.command(`APPEND ${quoteName('Neu/ganz neu ß')}`, MAIL);
  await imap.command(`RENAME ${quoteName('Projects/a/b/c/d/e/f/g')} ${quoteName('Done/g & co')}`);
};

const changeFar = async (dovecot: Dovecot): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, FAR);
  await imap.command('APPEND INBOX', MAIL);
  await imap.command(`APPEND ${quoteName('100% sure/50%')} (\\Answered)`, MAIL);
  await imap.command(`SELECT ${quoteName('Ärger')}`);
  await imap.command('UID STORE 8:10 -FLAGS.SILENT (\\Seen $Forwarded)');
  await imap.command('UID STORE 5 +FLAGS.SILENT (FarOnly)');
  await imap.command('UID STORE 7 +FLAGS.SILENT (\\Deleted)');
  await imap.command('UID EXPUNGE 7');
  await imap.command('UNSELECT');
  await imap.command(`UNSUBSCRIBE ${quoteName('Sent')}`);
  await imap.command(`SUBSCRIBE ${quoteName('Archive/2024/Lists')}`);
  await imap.command(`DELETE ${quoteName('emoji 😀/👩‍👩‍👧')}`);
};

describeWith(['root', 'dovecot23', 'corpus'], 'all the sample mail', () => {
  test('arrives one way, then changes of both ends meet, and Dovecot reads the same account at both', async () => {
    await using dovecot = await startDovecot({ version: '2.3', users: [NEAR, FAR] });
    const { files } = await fillWithCorpus(dovecot, NEAR);
    const before = await judgeAccount(dovecot, NEAR);
    expect(Object.keys(before.mailboxes).sort()).toEqual([...NAMES].sort());

    await synchronise(dovecot, ['backup']);

    const copied = await expectSame(dovecot);
    expect(copied).toEqual(before);
    const stored = await hashMailFiles(join(dovecot.home(FAR), 'Maildir'));
    expect(stored).toEqual(await hashMailFiles(join(dovecot.home(NEAR), 'Maildir')));
    expect(stored).toEqual([...files].sort());
    const known = await expectedBodies();
    expect(bodiesOf(copied).filter((body) => !known.has(body))).toEqual([]);
    await expectNothingToDo(dovecot);

    await changeNear(dovecot);
    await changeFar(dovecot);
    await synchronise(dovecot, ['sync']);

    const merged = await expectSame(dovecot);
    await expectNothingToDo(dovecot);
    const guids = (account: JudgedAccount, name: string, without: readonly number[] = []): string[] =>
      (account.mailboxes[name]?.mails ?? []).filter(({ uid }) => !without.includes(uid)).map(({ guid }) => guid);
    expect(guids(merged, 'R&D')).toEqual(guids(before, 'R&D', [3, 4]));
    expect(guids(merged, 'Ärger')).toEqual(guids(before, 'Ärger', [7]));
    expect(merged.mailboxes['R&D']?.mails.find(({ uid }) => uid === 6)?.flags).toEqual(['NearOnly', '\\Flagged']);
    expect(merged.mailboxes['Ärger']?.mails.find(({ uid }) => uid === 8)?.flags).toEqual([]);
    expect(merged.mailboxes['INBOX']?.mails).toHaveLength((before.mailboxes['INBOX']?.mails.length ?? 0) + 2);
    const names = new Set(NAMES);
    for (const gone of ['Projects/a/b/c/d/e/f/g', 'emoji 😀/👩‍👩‍👧']) names.delete(gone);
    for (const made of ['Neu/ganz neu ß', 'Done/g & co']) names.add(made);
    expect(Object.keys(merged.mailboxes).sort()).toEqual([...names].sort());
    expect(merged.subscriptions).toEqual(expect.arrayContaining(['Archive/2024/Lists', 'Neu/ganz neu ß']));
    expect(merged.subscriptions).not.toContain('Sent');
  });
});
