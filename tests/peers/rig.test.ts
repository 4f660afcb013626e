/** The rig itself: real Dovecots and a real OpenSSH come up, work, and are gone afterwards. */
import { expect, test } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { type Dovecot, startDovecot, troubles } from './rig/dovecot.ts';
import { ImapClient } from './rig/imap.ts';
import { run } from './rig/processes.ts';
import { startSshServer } from './rig/sshd.ts';

const MAIL = Buffer.from('From: a@example.org\r\nSubject: one\r\n\r\nHello\r\n');

const bodies = async (dovecot: Dovecot, user: string): Promise<string[]> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  await imap.command('SELECT INBOX');
  const responses = await imap.command('UID FETCH 1:* BODY.PEEK[]');
  return responses.flatMap(({ literals }) => literals.map((literal) => literal.toString('latin1')));
};

const append = async (dovecot: Dovecot, user: string): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  await imap.command('APPEND INBOX (\\Seen)', MAIL);
};

describeWith(['root', 'dovecot23'], 'a throw-away Dovecot 2.3', () => {
  test('stores a mail over IMAP and gives it to another 2.3 by its own sync', async () => {
    await using left = await startDovecot({ version: '2.3', users: ['u'] });
    await using right = await startDovecot({ version: '2.3', users: ['u'] });
    await append(left, 'u');

    const sync = await left.doveadm([
      '-o',
      `doveadm_password=secret`,
      'sync',
      '-u',
      'u',
      `tcp:127.0.0.1:${right.doveadmPort}`,
    ]);

    expect(sync).toMatchObject({ code: 0, stderr: '' });
    expect(await bodies(right, 'u')).toEqual([MAIL.toString('latin1')]);
    expect(troubles((await left.log()) + (await right.log()))).toEqual([]);
  });
});

describeWith(['root', 'dovecot23', 'dovecot24'], 'a throw-away Dovecot 2.4', () => {
  test('comes up, stores a mail over IMAP and gives it to a 2.3 by its own sync', async () => {
    await using left = await startDovecot({ version: '2.4', users: ['u'] });
    await using right = await startDovecot({ version: '2.3', users: ['u'] });
    await append(left, 'u');

    const sync = await left.doveadm(['sync', '-u', 'u', `tcp:127.0.0.1:${right.doveadmPort}`]);

    expect(sync).toMatchObject({ code: 0 });
    expect(await bodies(right, 'u')).toEqual([MAIL.toString('latin1')]);
    expect(troubles((await left.log()) + (await right.log()))).toEqual([]);
  });
});

describeWith(['root', 'sshd', 'ssh'], 'a throw-away OpenSSH server', () => {
  test('runs a command for whoever holds its key', async () => {
    await using server = await startSshServer();

    const outcome = await run('ssh', [...server.arguments, 'echo', 'hello']);

    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout.toString()).toBe('hello\n');
  });
});
