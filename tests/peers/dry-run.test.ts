/** `--dry-run` with a real Dovecot: it changes nothing there, and what it says is what the run then does. */
import { chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { NOTHING, parseObject, totalsOf } from '../support/printed-result.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { change, changeBack, changeTree, makeUser, runWell, type User } from './interop/accounts.ts';
import { run } from './rig/processes.ts';
import { type Carrier, type Ends, type Pairing, startEnds } from './interop/ends.ts';
import { letLogsBe, shareEnds, withEachVersion } from './interop/each-version.ts';

jest.setTimeout(60_000);

/** Dovecot's indexes and caches learn from every reading; its 2.4 makes a folder for scripts when it first sees a user. */
const LEARNT = /^(?:\S*\/)?dovecot(?:\.list)?\.index\S* |^sieve(?:\/tmp)?\/ /;

/** Everything in a Dovecot's home that is no cache. Records of mails that are gone are dropped from a UID list whenever it is read. */
const contentsOf = async (home: string): Promise<string[]> => {
  const seen = snapshotOf(home).filter((line) => !LEARNT.test(line) && !/dovecot-uidlist /.test(line));
  for (const name of await readdir(home, { recursive: true })) {
    if (!name.endsWith('/dovecot-uidlist')) continue;
    const folder = join(home, dirname(name));
    const there = [...(await readdir(join(folder, 'cur'))), ...(await readdir(join(folder, 'new')))].join('\n');
    const [header = '', ...records] = (await readFile(join(home, name), 'latin1')).trimEnd().split('\n');
    const kept = records.filter((record) => there.includes(record.slice(record.indexOf(':') + 1)));
    // The header's own number may be older than the last record.
    const next = Math.max(Number(/ N([0-9]+)/.exec(header)?.[1]), Number.parseInt(records.at(-1) ?? '0', 10) + 1);
    seen.push(`${name} ${header.replace(/ N[0-9]+/, '')} next ${next} ${kept.join(' ')}`);
  }
  return seen.sort();
};

const contentsAt = (ends: Ends, user: User): Promise<string[][]> =>
  Promise.all([contentsOf(ends.dovecot.home(user.theirs)), contentsOf(ends.dovecot.home(user.ours))]);

const NOTHING_AT_ALL = { local: NOTHING, remote: NOTHING };

/** Where a Dovecot is the destination, it does not say what it does to mails that it has. */
const UNTOLD = { flagged: 0, expunged: 0, renumbered: 0 };

interface Case {
  readonly verb: readonly string[];
  readonly carrier: Carrier;
  readonly untold?: boolean;
  /** A Dovecot leaves flags of mails alone that have different UIDs on the two sides: then more stays to be planned. */
  readonly leaves?: boolean;
  /** Between the two runs only the source changes. */
  readonly backedUp?: 'ours' | 'theirs';
}

const CASES: readonly Case[] = [
  { carrier: 'tcp', verb: ['sync'] },
  { carrier: 'command', verb: ['sync'] },
  { carrier: 'tcp', verb: ['sync', '-f'] },
  { carrier: 'tcp', verb: ['backup', '-R'], backedUp: 'theirs' },
  { carrier: 'tcp', verb: ['backup'], untold: true, backedUp: 'ours' },
  { carrier: 'tcp', verb: ['sync', '-1'], untold: true, leaves: true },
  { carrier: 'tcp', verb: ['sync', '-1', '-R'] },
  { carrier: 'tcp', verb: ['sync', '-m', 'Both'] },
  { carrier: 'tcp', verb: ['sync', '-x', 'Both*'] },
  { carrier: 'tcp', verb: ['sync', '-m', ''] },
  { carrier: 'tcp', verb: ['sync', '-1', '-R', '-t', '2000-01-01'] },
];

function dryRuns(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
    letLogsBe,
  );

  const changeSome = async (user: User, backedUp: Case['backedUp']): Promise<void> => {
    for (const name of [user.theirs, user.ours]) {
      const isSource = backedUp === undefined || user[backedUp] === name;
      if (isSource) await change(ends, name, 2);
      if (isSource) await changeTree(ends, name);
      else await changeBack(ends, name);
    }
  };

  test.each([...CASES])('$verb by $carrier', async ({ verb, carrier, untold, leaves, backedUp }) => {
    const pairing = { version, dovecotIs: 'server', carrier } as const;
    const user = await makeUser(ends, pairing);
    const [command = '', ...options] = verb;
    const dry = (): Promise<string> => runWell(ends, pairing, user, [command, '--dry-run', ...options]);
    // A Dovecot with other mails under the same UIDs cannot be a backup's destination.
    if (backedUp === 'ours') await runWell(ends, pairing, user, ['sync']);
    const planned: unknown[] = [];
    const left: unknown[] = [];
    for (let round = 1; round <= 2; round += 1) {
      if (round === 2) await changeSome(user, backedUp);
      const before = await contentsAt(ends, user);
      const plan = await dry();
      expect(await contentsAt(ends, user)).toEqual(before);
      expect(parseObject(plan)).toMatchObject({ dryRun: true, dialect: 'dovecot', state: '' });
      const { local, remote } = totalsOf(plan);
      const done = totalsOf(await runWell(ends, pairing, user, verb));
      expect(done).toEqual({ local, remote: untold ? { ...remote, ...UNTOLD } : remote });
      planned.push({ local, remote });
      left.push(leaves ? NOTHING_AT_ALL : totalsOf(await dry()));
    }
    expect(planned[1]).not.toEqual(NOTHING_AT_ALL);
    expect(left).toEqual([NOTHING_AT_ALL, NOTHING_AT_ALL]);
  });

  test('as text: what would be done to either side, and why', async () => {
    const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    const said = await runWell(ends, pairing, user, ['sync', '--dry-run', '-s', '']);
    expect(said).toMatch(/^local:\n {2}give mailbox Both the GUID [0-9a-f]{32} \(guid-conflict\)\n/);
    expect(said).toContain(`\n  create mailbox Only-${user.theirs} (missing-here)\n`);
    expect(said).toMatch(new RegExp(`\nremote:\n(?: .*\n)*  create mailbox Only-${user.ours} \\(missing-here\\)\n`));
    expect(said).toMatch(/\nremote:\n(?: .*\n)* {2}INBOX\n(?: .*\n)* {4}save UID [0-9]+ \[\\Seen\] \S+ \([a-z-]+\)\n/);
  });

  test('by being read, a Dovecot makes a first INBOX, numbers delivered files, and tells copied folders apart', async () => {
    const pairing = { version, dovecotIs: 'server', carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    await ends.addUser(`empty-${version}`);
    const empty = { ...user, name: `empty-${version}` };
    expect(totalsOf(await runWell(ends, pairing, empty, ['sync', '--dry-run']))).toMatchObject({
      remote: { ...NOTHING },
    });
    expect((await contentsOf(ends.dovecot.home(empty.name))).filter((line) => /\/(?:cur|new)\/./.test(line))).toEqual(
      [],
    );

    const maildir = join(ends.dovecot.home(user.theirs), 'Maildir');
    const file = join(maildir, 'new/1700000000.M1P1.delivered');
    await mkdir(join(maildir, 'new'), { recursive: true });
    await writeFile(file, 'Subject: delivered\n\n');
    await chown(file, ends.dovecot.mailUid, ends.dovecot.mailGid);
    expect(totalsOf(await runWell(ends, pairing, user, ['sync', '--dry-run'])).local['saved']).toBe(7);
    expect(await readFile(join(maildir, 'dovecot-uidlist'), 'latin1')).toMatch(/\n[0-9]+ :1700000000.M1P1.delivered\n/);
    expect(await readFile(file, 'latin1')).toBe('Subject: delivered\n\n');

    // A folder that somebody has copied by hand: two mailboxes with one GUID.
    const copy = join(maildir, '.Copied');
    await run('cp', ['--archive', join(maildir, '.Both'), copy]);
    const guidOf = async (folder: string): Promise<string | undefined> =>
      / G([0-9a-f]{32})/.exec(await readFile(join(folder, 'dovecot-uidlist'), 'latin1'))?.[1];
    expect(await guidOf(copy)).toBe(await guidOf(join(maildir, '.Both')));
    const told = await ends.sync(pairing, user.name, ['sync', '--dry-run']);
    expect(told).toMatchObject({ code: 0, stderr: expect.stringContaining('Duplicate mailbox GUID') });
    expect(await guidOf(copy)).not.toBe(await guidOf(join(maildir, '.Both')));
  });
}

withEachVersion(dryRuns);
