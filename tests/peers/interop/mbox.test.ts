/** A Dovecot that keeps its mail as mbox files: it cannot be given GUIDs, so both ends recognise mails by their headers. */
import { describe, expect, jest, test } from '@jest/globals';

import { totalsOf } from '../../support/printed-result.ts';
import { ImapClient } from '../rig/imap.ts';
import type { JudgedAccount } from '../rig/judge.ts';
import { judge, runWell, type User } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const mail = (id: string, text = id): Buffer =>
  Buffer.from(
    `From: a@example.org\r\nDate: Tue, 14 Nov 2023 22:13:22 +0000\r\nMessage-ID: <${id}@example.org>\r\n\r\n${text}\r\n`,
  );

let users = 0;

const makeUser = async (ends: Ends, { dovecotIs }: Pairing): Promise<User> => {
  users += 1;
  const name = `m${users}`;
  await ends.addUser(name);
  const [starting, other] = dovecotIs === 'client' ? [name, ours(name)] : [ours(name), name];
  return { name, theirs: name, ours: ours(name), starting, other };
};

const append = async (ends: Ends, name: string, ...mails: readonly string[]): Promise<void> => {
  await using imap = await ImapClient.login(ends.holder(name).imapPort, name);
  for (const id of mails) await imap.command('APPEND INBOX "14-Nov-2023 22:13:23 +0000"', mail(id));
};

const command = async (ends: Ends, name: string, ...commands: readonly string[]): Promise<void> => {
  await using imap = await ImapClient.login(ends.holder(name).imapPort, name);
  await imap.command('SELECT INBOX');
  for (const text of commands) await imap.command(text);
};

/** Everything but GUIDs. */
const without = (account: JudgedAccount): unknown =>
  Object.entries(account.mailboxes).map(([name, { uidValidity, uidNext, mails }]) => [
    name,
    uidValidity,
    uidNext,
    mails.map((one) => ({ ...one, guid: '' })),
  ]);

const expectSame = async (ends: Ends, user: User): Promise<JudgedAccount> => {
  const theirs = await judge(ends, user.theirs);
  expect(without(await judge(ends, user.ours))).toEqual(without(theirs));
  return theirs;
};

const inbox = (account: JudgedAccount): readonly string[] =>
  (account.mailboxes['INBOX']?.mails ?? []).map(({ uid, flags }) => [uid, ...flags].join(' '));

type Story = (ends: Ends, pairing: Pairing) => Promise<void>;

/** A Dovecot's mbox that has to give its own mails other UIDs dies (2.3) or forgets which are which, with a Dovecot as its peer too. */
const STORIES: Readonly<Record<string, Story>> = {
  'its mail arrives; then new mail, flags and expunges of our end': async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await append(ends, user.theirs, '1', '2', '3');
    await runWell(ends, pairing, user, ['sync']);
    expect(await judge(ends, user.ours)).toEqual(await judge(ends, user.theirs));
    await command(
      ends,
      user.ours,
      ...['UID STORE 1 +FLAGS.SILENT (\\Flagged kw)', 'UID STORE 2 +FLAGS.SILENT (\\Deleted)', 'EXPUNGE'],
    );
    await runWell(ends, pairing, user, ['sync']);
    expect(inbox(await expectSame(ends, user))).toEqual(['1 \\Flagged kw', '3']);
    await append(ends, user.ours, '4', '5', '6');
    await runWell(ends, pairing, user, ['sync']);
    expect(inbox(await expectSame(ends, user))).toEqual(['1 \\Flagged kw', '3', '4', '5', '6']);
    const before = [await judge(ends, user.theirs), await judge(ends, user.ours)];
    await runWell(ends, pairing, user, ['sync']);
    await runWell(ends, pairing, user, ['sync', '-f']);
    expect([await judge(ends, user.theirs), await judge(ends, user.ours)]).toEqual(before);
  },
  'a backup of it': async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await append(ends, user.theirs, '1', '2', '3');
    await append(ends, user.ours, 'gone');
    const options = pairing.dovecotIs === 'client' ? [] : ['-R'];
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(await judge(ends, user.ours)).toEqual(await judge(ends, user.theirs));
    await append(ends, user.theirs, '4');
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(await judge(ends, user.ours)).toEqual(await judge(ends, user.theirs));
  },
  'one-way from it, twice': async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await append(ends, user.theirs, '1', '2', '3');
    await append(ends, user.ours, 'ours');
    const options = pairing.dovecotIs === 'client' ? ['-1'] : ['-1', '-R'];
    const before = await judge(ends, user.theirs);
    await runWell(ends, pairing, user, ['sync', ...options]);
    const after = await judge(ends, user.ours);
    const guids = (account: JudgedAccount): readonly string[] =>
      (account.mailboxes['INBOX']?.mails ?? []).map(({ guid }) => guid);
    expect(guids(after)).toEqual(expect.arrayContaining([...guids(before)]));
    expect(guids(after)).toHaveLength(4);
    expect(await judge(ends, user.theirs)).toEqual(before);
    await runWell(ends, pairing, user, ['sync', ...options]);
    expect(guids(await judge(ends, user.ours)).toSorted()).toEqual(guids(after).toSorted());
  },
  'a backup into it': async (ends, pairing) => {
    const user = await makeUser(ends, pairing);
    await append(ends, user.ours, '1', '2', '3', '4', '5');
    const options = pairing.dovecotIs === 'client' ? ['-R'] : [];
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(inbox(await expectSame(ends, user))).toEqual(['1', '2', '3', '4', '5']);
    await append(ends, user.ours, '6');
    await runWell(ends, pairing, user, ['backup', ...options]);
    expect(inbox(await expectSame(ends, user))).toEqual(['1', '2', '3', '4', '5', '6']);
  },
};

/** With which its dsync says or believes less about headers. */
const FEATURES = { '2.3': ['', 'empty-header-workaround'], '2.4': ['', 'no-header-hashes'] } as const;

withEachVersion((version) => {
  describe.each(FEATURES[version])('dsync_features = %s', (feature) => {
    stories(version, feature);
  });
});

/** Asked by GUIDs it tells no hashes, so it is asked once more. */
const dryRun: Story = async (ends, pairing) => {
  const user = await makeUser(ends, pairing);
  const totals = async (...options: string[]): Promise<unknown> =>
    totalsOf(await runWell(ends, pairing, user, ['sync', ...options]));
  await append(ends, user.theirs, '1', '2', '3');
  const first = await totals('--dry-run');
  expect(first).toMatchObject({ local: { saved: 3 }, remote: { saved: 0 } });
  expect(await totals()).toEqual(first);
  await append(ends, user.ours, '4');
  await command(ends, user.theirs, 'UID STORE 1 +FLAGS.SILENT (\\Flagged)');
  const before = [await judge(ends, user.theirs), await judge(ends, user.ours)];
  const second = await totals('--dry-run');
  expect([await judge(ends, user.theirs), await judge(ends, user.ours)]).toEqual(before);
  expect(second).toMatchObject({ local: { saved: 0, flagged: 1 }, remote: { saved: 1, flagged: 0 } });
  expect(await totals()).toEqual(second);
};

function stories(version: Pairing['version'], feature: string): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version, 'mbox', feature === '' ? '' : `dsync_features = ${feature}`),
    (started) => (ends = started),
  );
  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    Object.entries(STORIES).map(([name, story]) => ({ dovecotIs, name, story })),
  );
  test('a dry run', async () => {
    await dryRun(ends, { version, dovecotIs: 'server', carrier: 'tcp' });
  });
  test.each(cases)('as $dovecotIs: $name', async ({ dovecotIs, story }) => {
    await story(ends, { version, dovecotIs, carrier: 'tcp' });
  });
}
