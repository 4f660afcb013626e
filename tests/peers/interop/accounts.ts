/** Mail for both ends, changes to it, and what must hold of both afterwards. */
import { join } from 'node:path';

import { setTimeout as delay } from 'node:timers/promises';

import { expect } from '@jest/globals';

import { NOTHING } from '../../support/printed-result.ts';
import { troubles } from '../rig/dovecot.ts';
import { ImapClient } from '../rig/imap.ts';
import { type JudgedAccount, judgeAccount } from '../rig/judge.ts';
import { mustRun } from '../rig/processes.ts';
import { type Ends, ours, type Pairing } from './ends.ts';

/** The body's first byte is a dot: it must arrive as it is. */
export const mail = (text: string): Buffer =>
  Buffer.from(`From: a@example.org\r\nSubject: ${text}\r\n\r\n.\r\n..two ${text}\r\n`);

/** What a user does with a mail reader. */
export const withImap = async (ends: Ends, name: string, work: (imap: ImapClient) => Promise<void>): Promise<void> => {
  await using imap = await ImapClient.login(ends.holder(name).imapPort, name);
  await work(imap);
};

/** An account of its own: INBOX and `Both` exist at both ends, each made there; `Only-NAME` here only. */
const fill = (ends: Ends, name: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command('APPEND INBOX (\\Seen)', mail(`${name} 1`));
    await imap.command('APPEND INBOX (Keyword)', mail(`${name} 2`));
    await imap.command('APPEND INBOX', mail(`${name} 3`));
    for (const box of ['Both', `Only-${name}`, 'Both/below']) {
      await imap.command(`CREATE ${box}`);
      await imap.command(`APPEND ${box} (\\Flagged)`, mail(`${name} in ${box}`));
    }
    await imap.command(`SUBSCRIBE Only-${name}`);
  });

/** What a user does: new mail, flags, an expunge, a copy. */
export const change = (ends: Ends, name: string, round: number): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command('APPEND INBOX (\\Answered)', mail(`${name} round ${round}`));
    await imap.command('SELECT INBOX');
    await imap.command(`STORE 1 +FLAGS.SILENT (\\Draft Round${round})`);
    await imap.command('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await imap.command('EXPUNGE');
    await imap.command('COPY 1 Both');
    await imap.command('UNSELECT');
  });

/** Changes that a Dovecot can take back when it is a backup's destination: flags, mailboxes, subscriptions. */
export const changeBack = (ends: Ends, name: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command('SELECT INBOX');
    await imap.command('STORE 1 FLAGS.SILENT (\\Deleted Unwanted)');
    await imap.command('UNSELECT');
    await imap.command('CREATE Extra');
    await imap.command('APPEND Extra', mail('extra'));
  });

/** And to the tree: a new mailbox, subscriptions. */
export const changeTree = (ends: Ends, name: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command(`CREATE New-${name}`);
    await imap.command(`APPEND New-${name}`, mail('new'));
    await imap.command(`SUBSCRIBE New-${name}`);
    await imap.command(`UNSUBSCRIBE Only-${name}`);
  });

/** Makes a mailbox with one mail in it. */
export const create = (ends: Ends, name: string, mailbox: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command(`CREATE ${mailbox}`);
    await imap.command(`APPEND ${mailbox}`, mail(`first in ${mailbox}`));
  });

/** Waits until the clock shows another second. */
export const nextSecond = async (): Promise<void> => {
  const second = (): number => Math.floor(Date.now() / 1000);
  for (const before = second(); second() === before;) await delay(1000 - (Date.now() % 1000));
};

/** Mails by which filters can tell: an old one, a large one, a flagged one, and one that is nothing of these. */
export const fillForFilters = (ends: Ends, name: string, mailbox: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command(`CREATE ${mailbox}`);
    await imap.command(`APPEND ${mailbox} " 5-Jan-2001 10:00:00 +0000"`, mail('old'));
    await imap.command(`APPEND ${mailbox}`, mail(`large ${'x'.repeat(40_000)}`));
    await imap.command(`APPEND ${mailbox} (\\Flagged)`, mail('flagged'));
    await imap.command(`APPEND ${mailbox}`, mail('plain'));
  });

/** Mailboxes that are gone, and names that are unsubscribed. */
export const remove = (ends: Ends, name: string, mailboxes: readonly string[]): Promise<void> =>
  withImap(ends, name, async (imap) => {
    for (const mailbox of mailboxes) {
      await imap.command(`UNSUBSCRIBE ${mailbox}`);
      await imap.command(`DELETE ${mailbox}`);
    }
  });

/** A mailbox gets another name, and one more mail. */
export const rename = (ends: Ends, name: string, from: string, to: string): Promise<void> =>
  withImap(ends, name, async (imap) => {
    await imap.command(`RENAME ${from} ${to}`);
    await imap.command(`APPEND ${to}`, mail(`after the renaming to ${to}`));
  });

/** A user with an account at each end; `starting` and `other` are the same two by who starts the runs. */
export interface User {
  readonly name: string;
  /** Dovecot's end, as its IMAP knows it. */
  readonly theirs: string;
  readonly ours: string;
  readonly starting: string;
  readonly other: string;
}

let users = 0;

/** A user with different mail at both ends. */
export const makeUser = async (ends: Ends, { dovecotIs }: Pairing): Promise<User> => {
  users += 1;
  const name = `u${users}`;
  await ends.addUser(name);
  const [starting, other] = dovecotIs === 'client' ? [name, ours(name)] : [ours(name), name];
  await fill(ends, name);
  await fill(ends, ours(name));
  return { name, theirs: name, ours: ours(name), starting, other };
};

/** The account as its Dovecot reads it. */
export const judge = (ends: Ends, name: string): Promise<JudgedAccount> => judgeAccount(ends.holder(name), name);

/** Runs, which must end with 0 without a word. @returns stdout */
export const runWell = async (ends: Ends, pairing: Pairing, user: User, verb: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await ends.sync(pairing, user.name, verb);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.toString('utf8');
};

let copies = 0;

/** Backs a copy of our account, journal and all, up to a new account at the Dovecot. @returns its name there */
export const backupElsewhere = async (ends: Ends, pairing: Pairing, user: User): Promise<string> => {
  copies += 1;
  const copy = `copy${copies}`;
  await ends.addUser(copy);
  const home = (name: string): string => ends.holder(name).home(name);
  await mustRun('cp', ['-a', join(home(user.ours), 'Maildir'), home(ours(copy))]);
  const both = { name: copy, theirs: copy, ours: ours(copy), starting: copy, other: copy };
  await runWell(ends, pairing, both, ['backup', ...(pairing.dovecotIs === 'client' ? ['-R'] : [])]);
  return copy;
};

/** @returns what both ends hold */
export const expectSame = async (ends: Ends, user: User): Promise<JudgedAccount> => {
  const theirs = await judge(ends, user.theirs);
  expect(await judge(ends, user.ours)).toEqual(theirs);
  return theirs;
};

/** The same run once more changes nothing at either end. */
export const expectNothingToDo = async (
  ends: Ends,
  pairing: Pairing,
  user: User,
  verb: readonly string[],
): Promise<void> => {
  const before = [await judge(ends, user.theirs), await judge(ends, user.ours)];
  const said = await runWell(ends, pairing, user, verb);
  if (pairing.dovecotIs === 'server') expect(JSON.parse(said)).toMatchObject({ totals: { local: NOTHING } });
  expect([await judge(ends, user.theirs), await judge(ends, user.ours)]).toEqual(before);
};

/**
 * Dovecot may only say of our Maildirs, which it has an index of, that a mailbox has taken another UIDVALIDITY.
 * @param expected what our server has to warn of
 * @param mayTell what a Dovecot may say besides
 */
export const expectQuietLogs = async (ends: Ends, expected = /^$/, mayTell = /^$/): Promise<void> => {
  const dovecots = new Set([ends.dovecot, ends.holder(ours('any'))]);
  const said = (await Promise.all([...dovecots].map((dovecot) => dovecot.log()))).flatMap(troubles);
  const isKnown = (line: string): boolean =>
    /\(our-.*Warning: (?:Maildir|Mailbox) .*UIDVALIDITY changed/.test(line) || mayTell.test(line);
  expect(said.filter((line) => !isKnown(line))).toEqual([]);
  const ourLines = ends.server.log().split('\n');
  expect(ourLines.filter((line) => /warning|error/i.test(line) && !expected.test(line))).toEqual([]);
};

/** `MAILBOX GUID` of every mail. */
export const guidsOf = (account: JudgedAccount): string[] =>
  Object.entries(account.mailboxes).flatMap(([name, { mails }]) => mails.map(({ guid }) => `${name} ${guid}`));
