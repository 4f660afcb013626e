/**
 * Two-way runs with a mail filter, one after the other, and then without: what a filter holds back stays where it is until a run
 * without it takes it along. Two Dovecots lose it; with dsync at one end nothing is lost or doubled.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import {
  expectNothingToDo,
  expectQuietLogs,
  expectSame,
  judge,
  mail,
  makeUser,
  type User,
  withImap,
} from './accounts.ts';
import { runTwoDovecots } from './beside/pairs.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, ours, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(90_000);

/** What a Dovecot says of its own Maildir, in its log or on our stderr, in which mails got new UIDs while it read it. */
const NEW_UIDS_WHILE_READ = /Warning: .*Duplicate file entry at line \d+: \S+ \(uid \d+ -> \d+\)/;

const OLD = '" 5-Jan-2001 10:00:00 +0000"';

/** One mail of each sort: INBOX gets them at both ends, every other mailbox at one. */
const arrive = (ends: Ends, name: string, mailbox: string, day: number): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command(`APPEND ${mailbox} (Key${day}) ${OLD}`, mail(`${name} old ${day}`));
    await imap.command(`APPEND ${mailbox}`, mail(`${name} large ${day} ${'x'.repeat(20_000)}`));
    await imap.command(`APPEND ${mailbox} (\\Flagged)`, mail(`${name} flagged ${day}`));
    await imap.command(`APPEND ${mailbox}`, mail(`${name} plain ${day}`));
  });

/** Mails without their UIDs. */
const heldBy = async (ends: Ends, name: string): Promise<string[]> => {
  const { mailboxes } = await judge(ends, name);
  return Object.entries(mailboxes)
    .flatMap(([box, { mails }]) =>
      mails.map(({ guid, sha256, received, flags }) => [box, guid, sha256, received, ...flags].join(' ')),
    )
    .sort();
};

type Run = (verb: readonly string[]) => Promise<void>;

/** Mail comes to both ends before each run with a filter. @returns all that has come */
const filteredDays = async (
  ends: Ends,
  user: User,
  run: Run,
  filters: readonly (readonly string[])[],
): Promise<string[]> => {
  const all = new Set<string>();
  for (const [day, filter] of filters.entries()) {
    for (const name of [user.theirs, user.ours])
      for (const box of ['INBOX', `Only-${name}`]) await arrive(ends, name, box, day);
    for (const name of [user.theirs, user.ours]) for (const one of await heldBy(ends, name)) all.add(one);
    await run(['sync', ...filter]);
  }
  return [...all].sort();
};

const SINCE = ['-t', '2020-01-01'];
const SMALL = ['-I', '10k'];
const FLAGGED = ['-O', '\\Flagged'];
const UNFLAGGED = ['-O', '-\\Flagged'];

const STORIES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'by date': [SINCE, SINCE],
  'by size': [SMALL, SMALL],
  'by flag': [FLAGGED, FLAGGED],
  'by one thing and another': [SINCE, UNFLAGGED, SMALL],
};

withEachVersion(heldBack);

function heldBack(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    async (started) => {
      await expectQuietLogs(
        started,
        /is left out: mails that a filter has kept at the other side would be expunged there/,
        NEW_UIDS_WHILE_READ,
      );
    },
  );

  const start = async (pairing: Pairing): Promise<{ readonly user: User; readonly run: Run }> => {
    const user = await makeUser(ends, pairing);
    const run: Run = async (verb) => {
      const { code, stderr } = await ends.sync(pairing, user.name, verb);
      const said = stderr.split('\n').filter((line) => line !== '' && !NEW_UIDS_WHILE_READ.test(line));
      expect({ code, said }).toEqual({ code: 0, said: [] });
    };
    await run(['sync']);
    return { user, run };
  };

  const cases = (['server', 'client'] as const).flatMap((dovecotIs) =>
    Object.entries(STORIES).map(([name, filters]) => ({ dovecotIs, name, filters })),
  );
  test.each(cases)('as $dovecotIs: filters $name, then none: everything is at both ends', async (one) => {
    const pairing = { version, carrier: 'command', dovecotIs: one.dovecotIs } as const;
    const { user, run } = await start(pairing);
    const all = await filteredDays(ends, user, run, one.filters);
    await run(['sync']);
    for (const name of [user.theirs, user.ours]) expect(await heldBy(ends, name)).toEqual(all);
    // What came here got a UID behind all others, and has it there from the next run on.
    await run(['sync']);
    await expectSame(ends, user);
    expect(await heldBy(ends, user.theirs)).toEqual(all);
    await expectNothingToDo(ends, pairing, user, ['sync']);
  });

  test.each(['server', 'client'] as const)('as %s: what users expunge meanwhile is gone at both ends', async (is) => {
    const pairing = { version, carrier: 'command', dovecotIs: is } as const;
    const { user, run } = await start(pairing);
    const all = await filteredDays(ends, user, run, [SMALL]);
    // The third from the end is a large one that the other end does not have; the last one both have.
    for (const name of [user.theirs, user.ours])
      await withImap(ends, name, async (imap) => {
        await imap.command(`SELECT Only-${name}`);
        await imap.command('STORE 3,5 +FLAGS.SILENT (\\Deleted)');
        await imap.command('EXPUNGE');
      });
    await run(['sync']);
    await run(['sync']);
    const left = await heldBy(ends, user.theirs);
    expect(await heldBy(ends, user.ours)).toEqual(left);
    expect(left).toHaveLength(all.length - 4);
    expect(all).toEqual(expect.arrayContaining(left));
  });

  test.each(['server', 'client'] as const)('as %s: our journal is lost in between', async (dovecotIs) => {
    const pairing = { version, carrier: 'command', dovecotIs } as const;
    const { user, run } = await start(pairing);
    const all = await filteredDays(ends, user, run, [SINCE]);
    const maildir = join(ends.holder(user.ours).home(user.ours), 'Maildir');
    for (const file of ['dsync-journal', 'dsync-journal-lock']) await rm(join(maildir, file));
    await run(['sync']);
    await run(['sync']);
    await expectSame(ends, user);
    expect(await heldBy(ends, user.theirs)).toEqual(all);
  });

  test.each(['server', 'client'] as const)('as %s: after a backup or a -1 with a filter', async (dovecotIs) => {
    const pairing = { version, carrier: 'command', dovecotIs } as const;
    for (const verb of [
      ['backup', ...SMALL],
      ['backup', '-R', ...SMALL],
      ['sync', '-1', ...SMALL],
      ['sync', '-1', '-R', ...SMALL],
    ]) {
      const { user, run } = await start(pairing);
      const source = verb.includes('-R') ? user.other : user.starting;
      await arrive(ends, source, `Only-${source}`, 1);
      const all = await heldBy(ends, source);
      await run(verb);
      await run(['sync']);
      await run(['sync']);
      await expectSame(ends, user);
      expect(await heldBy(ends, source)).toEqual(all);
    }
  });

  test.each(['server', 'client'] as const)('as %s: a -1 into the Dovecot leaves such a mailbox out', async (is) => {
    const pairing = { version, carrier: 'command', dovecotIs: is } as const;
    const { user, run } = await start(pairing);
    const all = await filteredDays(ends, user, run, [SMALL]);
    const before = await heldBy(ends, user.theirs);
    const { code } = await ends.sync(pairing, user.name, ['sync', '-1', ...(is === 'client' ? ['-R'] : [])]);
    expect(code).toBe(2);
    expect(await heldBy(ends, user.theirs)).toEqual(before);
    await run(['sync']);
    for (const name of [user.theirs, user.ours]) expect(await heldBy(ends, name)).toEqual(all);
  });

  test.each(['server', 'client'] as const)('as %s with an mbox, whose mails are known by their headers', async (is) => {
    await using mbox = await startEnds(version, 'mbox');
    const pairing = { version, carrier: 'command', dovecotIs: is } as const;
    await mbox.addUser('m');
    const run = async (...verb: string[]): Promise<readonly string[]> => {
      const { code, stderr } = await mbox.sync(pairing, 'm', verb);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const both = await Promise.all(['m', ours('m')].map((name) => judge(mbox, name)));
      return both.map(({ mailboxes }) => (mailboxes['INBOX']?.mails ?? []).map((m) => `${m.uid}:${m.size}`).join(' '));
    };
    const deliver = (day: number): Promise<void> =>
      withImap(mbox, 'm', async (imap) => {
        for (const size of [1, 20_000, 10])
          await imap.command(
            'APPEND INBOX',
            Buffer.from(`Message-ID: <${day}.${size}@x>\r\n\r\n${'x'.repeat(size)}\r\n`),
          );
      });
    await deliver(1);
    expect(await run('sync', ...SMALL)).toEqual(['1:26 2:20029 3:36', '1:26 3:36']);
    await deliver(2);
    const later = ['1:26 2:20029 3:36 4:26 5:20029 6:36', '1:26 3:36 4:26 6:36'];
    expect(await run('sync', ...SMALL)).toEqual(later);
    expect(await run('sync', ...SMALL)).toEqual(later);
    await run('sync');
    expect(await run('sync')).toEqual(Array.from({ length: 2 }, () => '1:26 3:36 4:26 6:36 7:20029 8:20029'));
  });

  test('two Dovecots expunge what their filter holds back', async () => {
    const pairing = { version, carrier: 'command', dovecotIs: 'client' } as const;
    const { user } = await start(pairing);
    const run: Run = async (verb) => {
      const pair = { nameOf: (side: 'ours' | 'theirs'): string => user[side] };
      const { code } = await runTwoDovecots(ends, pairing, pair, verb);
      expect(code).toBe(0);
    };
    const all = await filteredDays(ends, user, run, [SMALL, SMALL]);
    await run(['sync']);
    for (const name of [user.theirs, user.ours]) expect((await heldBy(ends, name)).length).toBeLessThan(all.length);
  });
}
