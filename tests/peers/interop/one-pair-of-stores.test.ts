/**
 * Two accounts, both of them Maildirs that a Dovecot and our programs can open, kept alike by one program after the other:
 * two doveadms, our client, our server, two doveadms … Both sides change between all runs. With `-s` each goes on from
 * the state that another one has printed.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import type { JudgedAccount } from '../rig/judge.ts';
import { deliverMails } from '../rig/raw-mails.ts';
import {
  expectNothingToDo,
  expectQuietLogs,
  expectSame,
  judge,
  mail,
  makeUser,
  nextSecond,
  runWell,
  type User,
  withImap,
} from './accounts.ts';
import { runTwoDovecots } from './beside/pairs.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(90_000);

/** Who brings the two accounts together. */
type Tool = 'doveadm to doveadm' | 'dsync to doveadm' | 'doveadm to dsync-server';

/** Each follows each. */
const TOOLS: readonly Tool[] = [
  'dsync to doveadm',
  'doveadm to doveadm',
  'dsync to doveadm',
  'doveadm to dsync-server',
  'doveadm to doveadm',
  'doveadm to dsync-server',
  'dsync to doveadm',
];

/** The state that is all of what was said. */
const stateIn = (said: string): string => {
  expect(said).toMatch(/^[A-Za-z0-9+/]+=*\n$/);
  return said.trimEnd();
};

const runTool = async (
  ends: Ends,
  pairing: Pairing,
  user: User,
  tool: Tool,
  verb: readonly string[],
): Promise<string> => {
  if (tool !== 'doveadm to doveadm') {
    const dovecotIs = tool === 'dsync to doveadm' ? 'server' : 'client';
    return await runWell(ends, { ...pairing, dovecotIs }, user, verb);
  }
  const pair = { nameOf: (side: 'ours' | 'theirs'): string => user[side] };
  const { code, stdout, stderr } = await runTwoDovecots(ends, { ...pairing, dovecotIs: 'client' }, pair, verb);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.toString('utf8');
};

/** New mail from a delivery agent and from a mail reader, flags, an expunge, a copy, a move, and what is done to mailboxes. */
const theirDay = async (ends: Ends, user: User, round: number): Promise<void> => {
  const holder = ends.holder(user.theirs);
  const maildir = join(holder.home(user.theirs), 'Maildir');
  await deliverMails(holder, maildir, [Buffer.from(`Subject: delivered ${round}\n\n${round}\n`)], `round${round}`);
  await withImap(ends, user.theirs, async (imap) => {
    await imap.command('APPEND INBOX (\\Answered)', mail(`theirs ${round}`));
    await imap.command('SELECT INBOX');
    await imap.command(`STORE 1 +FLAGS.SILENT (\\Draft Their${round})`);
    await imap.command('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await imap.command('EXPUNGE');
    await imap.command('COPY * Both');
    await imap.command('MOVE 2 Both');
    await imap.command('UNSELECT');
    await imap.command(`APPEND Only-${user.ours}`, mail(`more ${round}`));
    await imap.command(`CREATE T${round}`);
    await imap.command(`APPEND T${round}`, mail(`in T${round}`));
    // Of others than are renamed: with two Dovecots a subscription follows its mailbox, at one end only.
    await imap.command(`CREATE S${round}`);
    await imap.command(`SUBSCRIBE S${round}`);
    if (round > 1) await imap.command(`UNSUBSCRIBE S${round - 1}`);
    if (round > 1) await imap.command(`RENAME T${round - 1} Old/T${round - 1}`);
    if (round > 2) await imap.command(`DELETE O${round - 2}`);
  });
};

/** In no mailbox are there as many changes as on the other side: two Dovecots would take such a mailbox for unchanged. */
const ourDay = (ends: Ends, user: User, round: number): Promise<void> =>
  withImap(ends, user.ours, async (imap) => {
    await imap.command('SELECT INBOX');
    await imap.command(`STORE 1 +FLAGS.SILENT (Our${round})`);
    await imap.command('STORE 3 +FLAGS.SILENT (\\Flagged)');
    await imap.command('STORE 4 +FLAGS.SILENT (\\Deleted)');
    await imap.command('EXPUNGE');
    await imap.command('UNSELECT');
    await imap.command('APPEND INBOX (\\Seen)', mail(`ours ${round}`));
    // The other side changes no flag of this mail: else the keyword would be both added and removed.
    await imap.command(`SELECT Only-${user.ours}`);
    await imap.command(`STORE 1 +FLAGS.SILENT (Now${round})`);
    if (round > 1) await imap.command(`STORE 1 -FLAGS.SILENT (Now${round - 1})`);
    await imap.command('UNSELECT');
    await imap.command(`CREATE O${round}`);
    await imap.command(`APPEND O${round} (\\Flagged)`, mail(`in O${round}`));
    await imap.command(`SELECT O${round}`);
    await imap.command('COPY 1 Both');
    await imap.command('UNSELECT');
    if (round > 2) await imap.command(`DELETE Old/T${round - 2}`);
  });

/** Mails by the GUID of their mailbox, whatever its name. */
type Held = ReadonlyMap<string, readonly string[]>;

const heldBy = (account: JudgedAccount): Held =>
  new Map(Object.values(account.mailboxes).map(({ guid, mails }) => [guid, mails.map((one) => one.guid).sort()]));

/** All that either side had and the other had not taken away: nothing lost, nothing doubled. */
const mergeOf = (before: readonly string[], a: readonly string[], b: readonly string[]): string[] =>
  [...new Set([...a, ...b])].filter((guid) => !before.includes(guid) || (a.includes(guid) && b.includes(guid))).sort();

const mergeAll = (before: Held, a: Held, b: Held): Held =>
  new Map(
    mergeOf([...before.keys()], [...a.keys()], [...b.keys()]).map((box) => {
      const [was, one, other] = [before.get(box) ?? [], a.get(box), b.get(box)];
      return [box, mergeOf(was, one ?? other ?? [], other ?? one ?? [])];
    }),
  );

const byGuid = (held: Held): [string, readonly string[]][] => [...held].sort(([a], [b]) => (a < b ? -1 : 1));

function chains(version: Pairing['version']): void {
  const pairing: Pairing = { version, dovecotIs: 'client', carrier: 'tcp' };
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    async (started) => {
      await expectQuietLogs(started, /the state was made by other programs/);
    },
  );

  test.each([
    ['everything compared each time', false],
    ['each with the state of the one before', true],
  ])('%s', async (_name, withState) => {
    const user = await makeUser(ends, pairing);
    let state = '';
    const run = async (tool: Tool): Promise<string> => {
      const said = await runTool(ends, pairing, user, tool, withState ? ['sync', '-s', state] : ['sync']);
      if (withState) state = stateIn(said);
      return said;
    };
    await run('dsync to doveadm');
    let same = await expectSame(ends, user);
    expect(same.mailboxes['INBOX']?.mails).toHaveLength(6);
    for (const [index, tool] of TOOLS.entries()) {
      // Times of subscriptions have no smaller unit.
      await nextSecond();
      await theirDay(ends, user, index + 1);
      await ourDay(ends, user, index + 1);
      const [theirs, own] = [await judge(ends, user.theirs), await judge(ends, user.ours)];
      const wanted = mergeAll(heldBy(same), heldBy(theirs), heldBy(own));
      await run(tool);
      same = await expectSame(ends, user);
      expect({ tool, held: byGuid(heldBy(same)) }).toEqual({ tool, held: byGuid(wanted) });
    }
    expect(Object.entries(same.mailboxes).map(([name, { mails }]) => `${name} ${mails.length}`)).toEqual([
      'Both 23',
      'Both/below 2',
      'INBOX 6',
      'O6 1',
      'O7 1',
      'Old/T6 1',
      `Only-${user.ours} 8`,
      `Only-${user.theirs} 1`,
      ...[1, 2, 3, 4, 5, 6, 7].map((round) => `S${round} 0`),
      'T7 1',
    ]);
    expect(same.subscriptions).toEqual([`Only-${user.ours}`, `Only-${user.theirs}`, 'S7']);
    expect(same.mailboxes['INBOX']?.mails[0]?.flags).toEqual(
      [...[1, 2, 3, 4, 5, 6, 7].flatMap((round) => [`Our${round}`, `Their${round}`]), ...['\\Draft', '\\Seen']].sort(),
    );
    // Each was removed in the round after; two of them (Now2, Now5) came and went while no program of ours looked.
    expect(same.mailboxes[`Only-${user.ours}`]?.mails[0]?.flags).toEqual(['Now7', '\\Flagged']);
    // Without the state, which a Dovecot need not take: its own index of our store can be behind our numbers.
    for (const tool of ['doveadm to dsync-server', 'dsync to doveadm', 'doveadm to doveadm'] as const) {
      await runTool(ends, pairing, user, tool, ['sync']);
      expect(await expectSame(ends, user)).toEqual(same);
    }
    for (const dovecotIs of ['server', 'client'] as const)
      await expectNothingToDo(ends, { ...pairing, dovecotIs }, user, ['sync']);
  });

  /** A mail that two doveadms have brought and that is gone before a program of ours sees it. */
  const goesUnseen = async (user: User, how: 'expunged' | 'removed'): Promise<string> => {
    await runTool(ends, pairing, user, 'dsync to doveadm', ['sync']);
    await expectSame(ends, user);
    await withImap(ends, user.theirs, (imap) => imap.command('APPEND INBOX', mail('unseen')).then(() => undefined));
    const state = (await runTool(ends, pairing, user, 'doveadm to doveadm', ['sync', '-s', ''])).trimEnd();
    if (how === 'expunged')
      await withImap(ends, user.ours, async (imap) => {
        await imap.command('SELECT INBOX');
        await imap.command('STORE * +FLAGS.SILENT (\\Deleted)');
        await imap.command('EXPUNGE');
      });
    else {
      const maildir = join(ends.holder(user.ours).home(user.ours), 'Maildir');
      for (const folder of ['cur', 'new'])
        for (const name of await readdir(join(maildir, folder)))
          if ((await readFile(join(maildir, folder, name), 'utf8')).includes('unseen'))
            await rm(join(maildir, folder, name));
    }
    return state;
  };

  // What nothing tells the expunge of comes back, the last mail here; a server cannot ask for it, so it says that another run is needed.
  test.each([
    ['expunged', 'doveadm to dsync-server', 0, 6],
    ['expunged', 'dsync to doveadm', 0, 6],
    ['removed', 'doveadm to dsync-server', 2, 7],
    ['removed', 'dsync to doveadm', 0, 7],
  ] as const)('a mail of the state was %s unseen, %s ends with %i', async (how, tool, code, left) => {
    const user = await makeUser(ends, pairing);
    const state = await goesUnseen(user, how);
    const dovecotIs = tool === 'dsync to doveadm' ? 'server' : 'client';
    const outcome = await ends.sync({ ...pairing, dovecotIs }, user.name, ['sync', '-s', state]);
    expect(outcome.code).toBe(code);
    const next = outcome.stdout.toString('utf8').trimEnd();
    expect(next === '').toBe(code === 2);
    if (code === 2) await runTool(ends, pairing, user, tool, ['sync', '-s', next]);
    const same = await expectSame(ends, user);
    expect(same.mailboxes['INBOX']?.mails).toHaveLength(left);
  });

  /** Many changes that leave nothing, so that numbers grow where they are seen. */
  const toggle = (user: User, round: number): Promise<void> =>
    withImap(ends, user.theirs, async (imap) => {
      await imap.command('SELECT INBOX');
      for (let i = 0; i < 8; i++)
        for (const sign of ['+', '-']) await imap.command(`STORE 1 ${sign}FLAGS.SILENT (Toggled)`);
      await imap.command(`STORE 2 +FLAGS.SILENT (Left${round})`);
    });

  test.each([
    ['of ours', 'dsync to doveadm'],
    ['of two Dovecots, of which one has lost its index since', 'doveadm to doveadm'],
  ] as const)('a state that a Dovecot’s index has not reached is not taken: %s', async (_name, tool) => {
    const user = await makeUser(ends, pairing);
    await runTool(ends, pairing, user, 'dsync to doveadm', ['sync']);
    await expectSame(ends, user);
    let state = '';
    // A state has the numbers from before its run.
    for (let round = 0; round < 3; round++) {
      await toggle(user, round);
      state = (await runTool(ends, pairing, user, tool, ['sync', '-s', state])).trimEnd();
    }
    const maildir = join(ends.holder(user.ours).home(user.ours), 'Maildir');
    if (tool === 'doveadm to doveadm')
      for (const file of (await readdir(maildir)).filter((name) => name.startsWith('dovecot.index')))
        await rm(join(maildir, file));
    await withImap(ends, user.theirs, (imap) => imap.command(`APPEND INBOX`, mail('one more')).then(() => undefined));
    const pair = { nameOf: (side: 'ours' | 'theirs'): string => user[side] };
    const again = await runTwoDovecots(ends, pairing, pair, ['sync', '-s', state]);
    expect({ code: again.code, state: again.stdout.toString('utf8').trim() }).toEqual({ code: 2, state: '' });
    expect(again.stderr).toMatch(/Failed to do incremental sync for mailbox INBOX|INBOX.*highest_modseq/);
    await runTool(ends, pairing, user, 'doveadm to doveadm', ['sync', '-s', '']);
    await expectSame(ends, user);
  });
}

withEachVersion(chains);
