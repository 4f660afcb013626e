/**
 * Mail that comes to our Maildir in the middle of a run with a Dovecot: it stays, and is at both ends once after the runs that
 * follow. Another Dovecot in our place would lose it, or make the first one panic.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import type { DovecotVersion } from '../rig/dovecot-config.ts';
import { startHoldingProxy } from '../rig/holding-proxy.ts';
import { dsync } from '../rig/ours.ts';
import type { Outcome } from '../rig/processes.ts';
import { expectSame, mail, withImap } from './accounts.ts';
import { letLogsBe, shareEnds, withEachVersion } from './each-version.ts';
import { type DovecotIs, type Ends, ours, startEnds } from './ends.ts';

jest.setTimeout(90_000);

/** Our words when we start a run: that we announce a mailbox, and that we ask for a mail. */
const OUR_ANNOUNCEMENT = /(?:^|\n)B[0-9a-f]{32}\t/;
const OUR_REQUEST = /(?:^|\n)R[^\n\t ]+\t\d/;

withEachVersion(deliveredMeanwhile);

function deliveredMeanwhile(version: DovecotVersion): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    letLogsBe,
  );

  const append = (name: string, subjects: readonly string[]): Promise<void> =>
    withImap(ends, name, async (imap) => {
      for (const subject of subjects) await imap.command('APPEND INBOX', mail(subject));
    });

  /** A run by TCP. */
  const run = (is: DovecotIs, user: string, port = is === 'server' ? ends.dovecot.doveadmPort : ends.server.port) => {
    const verb = ['sync', '-u', user, `tcp:127.0.0.1:${port}`];
    if (is === 'client') return ends.dovecot.doveadm(verb);
    return dsync(ends.dovecot.mailUid, `maildir:${ends.holder(ours(user)).home(ours(user))}/Maildir`, verb);
  };

  /** A run in the middle of which a mail comes to our INBOX. @param when what is passed on then */
  const runWithDelivery = async (is: DovecotIs, user: string, when: RegExp): Promise<Outcome> => {
    const target = is === 'server' ? ends.dovecot.doveadmPort : ends.server.port;
    await using proxy = await startHoldingProxy(target, (piece) => when.test(piece.toString('latin1')));
    const outcome = run(is, user, proxy.port);
    await proxy.held;
    await append(ours(user), ['meanwhile']);
    proxy.release();
    return await outcome;
  };

  const expectAllAtBothEnds = async (is: DovecotIs, user: string, subjects: readonly string[]): Promise<void> => {
    for (let i = 0; i < 2; i++) expect(await run(is, user)).toMatchObject({ code: 0 });
    const both = { name: user, theirs: user, ours: ours(user), starting: user, other: user };
    const { mailboxes } = await expectSame(ends, both);
    const subject = ['-f', 'flow', 'fetch', '-u', user, 'hdr.subject', 'mailbox', 'INBOX'];
    const { stdout } = await ends.dovecot.doveadm(subject);
    const found = Array.from(stdout.toString('utf8').matchAll(/hdr\.subject=(\S+)/g), ([, text]) => text);
    expect(new Set(found)).toEqual(new Set(subjects));
    expect(mailboxes['INBOX']?.mails).toHaveLength(subjects.length);
  };

  test('it gets no UID that the Dovecot gives to another mail', async () => {
    await ends.addUser('announced');
    await append('announced', ['common']);
    expect(await run('server', 'announced')).toMatchObject({ code: 0 });
    // Both under one UID, so that both ends have to give new ones from the told UIDNEXT on.
    await append('announced', ['there']);
    await append(ours('announced'), ['here']);

    // The mail that came has the UID that another one was to get here.
    expect(await runWithDelivery('server', 'announced', OUR_ANNOUNCEMENT)).toMatchObject({ code: 2 });
    await expectAllAtBothEnds('server', 'announced', ['common', 'there', 'here', 'meanwhile']);
  });

  /** Mails with UIDs far from 1, and no record of those that were expunged before them: an old account's. */
  const makeOldAccount = async (user: string): Promise<void> => {
    await ends.addUser(user);
    await append(user, ['gone1', 'gone2', 'gone3', 'old4', 'old5']);
    await ends.dovecot.doveadm(['expunge', '-u', user, 'mailbox', 'INBOX', 'uid', '1:3']);
    const maildir = join(ends.dovecot.home(user), 'Maildir');
    for (const name of await readdir(maildir)) if (/^dovecot\.(?:index|list)/.test(name)) await rm(join(maildir, name));
  };

  test.each(['server', 'client'] as const)(
    'at the first copy from a Dovecot as %s it does not count as expunged',
    async (is) => {
      const user = `first-${is}`;
      await makeOldAccount(user);
      expect(await runWithDelivery(is, user, OUR_REQUEST)).toMatchObject({ code: 0 });
      await expectAllAtBothEnds(is, user, ['old4', 'old5', 'meanwhile']);
    },
  );
}
