/** A sync while a real IMAP session has the mailbox open: the session follows, and what it does travels back. */
import { expect, jest, test } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { type Dovecot, startDovecot } from './rig/dovecot.ts';
import { ImapClient } from './rig/imap.ts';
import { expectNothingToDo, expectSame, FAR, NEAR, synchronise } from './rig/two-ends.ts';

jest.setTimeout(180_000);

const mail = (subject: string): Buffer => Buffer.from(`From: a@example.org\r\nSubject: ${subject}\r\n\r\nText\r\n`);

const fill = async (dovecot: Dovecot): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, NEAR);
  for (const subject of ['one', 'two', 'three', 'four', 'five']) await imap.command('APPEND INBOX', mail(subject));
};

const changeNear = async (dovecot: Dovecot): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, NEAR);
  await imap.command('SELECT INBOX');
  await imap.command('UID STORE 2 +FLAGS.SILENT (\\Flagged Important)');
  await imap.command('UID STORE 3 +FLAGS.SILENT (\\Deleted)');
  await imap.command('UID EXPUNGE 3');
  await imap.command('APPEND INBOX (\\Answered)', mail('six'));
  await imap.command('APPEND INBOX', mail('seven'));
};

/** UID and flags of every mail as a session with the mailbox open sees them. */
const seen = async (imap: ImapClient): Promise<Record<string, string[]>> => {
  const responses = await imap.command('UID FETCH 1:* (FLAGS)');
  const found = responses.flatMap(({ line }) => {
    const uid = /UID (\d+)/.exec(line)?.[1];
    const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1] ?? '';
    return uid === undefined
      ? []
      : [[uid, flags.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent')] as const];
  });
  return Object.fromEntries(found);
};

describeWith(['root', 'dovecot23'], 'a mailbox that an IMAP session has open', () => {
  test('changes under the session as the sync says, and the changes of the session reach the other end', async () => {
    await using dovecot = await startDovecot({ version: '2.3', users: [NEAR, FAR] });
    await fill(dovecot);
    await synchronise(dovecot, ['sync']);
    await using session = await ImapClient.login(dovecot.imapPort, FAR);
    await session.command('SELECT INBOX');
    const before = session.responses.length;
    const endIdle = await session.idle();

    await changeNear(dovecot);
    await synchronise(dovecot, ['sync']);

    // The session is told without asking: the third mail goes, the second is flagged, two more come.
    await session.until(/^\* 3 EXPUNGE/, before);
    await session.until(/^\* 2 FETCH .*\\Flagged/, before);
    await session.until(/^\* 6 EXISTS/, before);
    await endIdle();
    expect(await seen(session)).toEqual({
      1: [],
      2: ['\\Flagged', 'Important'],
      4: [],
      5: [],
      6: ['\\Answered'],
      7: [],
    });

    await session.command('UID STORE 7 +FLAGS.SILENT (\\Seen FromSession)');
    await session.command('UID STORE 1 +FLAGS.SILENT (\\Deleted)');
    await session.command('UID EXPUNGE 1');
    await session.command('APPEND INBOX (\\Draft)', mail('eight'));
    await synchronise(dovecot, ['sync']);

    const account = await expectSame(dovecot);
    expect(account.mailboxes['INBOX']?.mails.map(({ uid, flags }) => [uid, flags])).toEqual([
      [2, ['Important', '\\Flagged']],
      [4, []],
      [5, []],
      [6, ['\\Answered']],
      [7, ['FromSession', '\\Seen']],
      [8, ['\\Draft']],
    ]);
    await expectNothingToDo(dovecot);
  });
});
