/** More keywords in a mailbox than a Maildir has letters for: none is lost, and the ends come to rest. */
import { expect, jest, test } from '@jest/globals';

import { ImapClient } from '../rig/imap.ts';
import { backupElsewhere, expectNothingToDo, judge, makeUser, runWell } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const MANY = Array.from({ length: 30 }, (_, i) => `k${String(i).padStart(2, '0')}`);

const command = async (ends: Ends, name: string, ...commands: readonly string[]): Promise<void> => {
  await using imap = await ImapClient.login(ends.holder(name).imapPort, name);
  await imap.command('SELECT Both');
  for (const text of commands) await imap.command(text);
};

const flagsOf = async (ends: Ends, name: string): Promise<readonly string[]> =>
  (await judge(ends, name)).mailboxes['Both']?.mails.at(0)?.flags ?? [];

withEachVersion(stories);

function stories(version: Pairing['version']): void {
  let ends: Ends;
  // A Dovecot's own Maildir could not show them all either.
  shareEnds(
    () => startEnds(version, 'sdbox'),
    (started) => (ends = started),
  );
  test.each(['server', 'client'] as const)('as %s', async (dovecotIs) => {
    const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    await runWell(ends, pairing, user, ['sync']);
    await command(ends, user.theirs, `STORE 1 +FLAGS.SILENT (${MANY.join(' ')})`);
    await runWell(ends, pairing, user, ['sync']);
    await expectNothingToDo(ends, pairing, user, ['sync', '-f']);
    expect(await flagsOf(ends, user.theirs)).toEqual(['\\Flagged', ...MANY]);
    expect(await flagsOf(ends, user.ours)).toEqual(['\\Flagged', ...MANY.slice(0, 26)]);

    // A keyword that is taken away here would come back: to a Dovecot those that it has count as added just now.
    await command(ends, user.ours, 'STORE 1 +FLAGS.SILENT (\\Answered)');
    await command(ends, user.theirs, 'STORE 1 -FLAGS.SILENT (k29)', 'STORE 1 +FLAGS.SILENT (k30)');
    await runWell(ends, pairing, user, ['sync']);
    await expectNothingToDo(ends, pairing, user, ['sync', '-f']);
    const merged = ['\\Answered', '\\Flagged', ...MANY.slice(0, 29), 'k30'];
    expect(await flagsOf(ends, user.theirs)).toEqual(merged);
    expect(await flagsOf(ends, await backupElsewhere(ends, pairing, user))).toEqual(merged);
  });
}
