/**
 * Runs of doveadm and of ours keep each other out: with `-l` from a user, always from a mailbox. One Dovecot has the
 * accounts `a` and `our-a`; the second is the one that our server serves for `a`.
 */
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { beforeAll, describe, expect, jest, test } from '@jest/globals';

import { share } from '../support/share.ts';
import type { DovecotVersion } from './rig/dovecot-config.ts';
import { type Dovecot, startDovecot, troubles } from './rig/dovecot.ts';
import { ImapClient } from './rig/imap.ts';
import { startHoldingProxy } from './rig/holding-proxy.ts';
import { dsync, type OurServer, startOurServer } from './rig/ours.ts';
import type { Outcome } from './rig/processes.ts';
import { withEachVersion } from './interop/each-version.ts';

jest.setTimeout(60_000);

const LOCK = '.dovecot-sync.lock';
const BOXES = ['INBOX', 'One', 'Two'];

withEachVersion(locks);

function locks(version: DovecotVersion): void {
  let dovecot: Dovecot;
  let server: OurServer;
  /** Its name is smaller than everybody's, so that it takes the lock of every run. */
  let firstServer: OurServer;
  const home = (account: string): string => dovecot.home(account);
  const location = (account: string): string => `maildir:${home(account)}/Maildir`;
  const isLocked = (account: string) => () => existsSync(join(home(account), LOCK));

  share(
    () => startDovecot({ version, users: ['a', 'our-a'] }),
    (started) => (dovecot = started),
    async () => {
      try {
        const said = troubles(await dovecot.log());
        // At the first run our account takes the other one's UIDVALIDITY, which this Dovecot has noted.
        const expected = /Couldn't lock .*Timed out after 1 seconds|\(our-.*UIDVALIDITY changed/;
        expect(said.filter((line) => !expected.test(line))).toEqual([]);
      } finally {
        await dovecot.stop();
      }
    },
  );
  const ourServer = (...options: string[]): Promise<OurServer> =>
    startOurServer(dovecot.mailUid, location('our-%u'), ['-o', `mail_home=${home('our-%u')}`, ...options]);
  share(
    () => ourServer(),
    (started) => (server = started),
    () => server[Symbol.asyncDispose](),
  );
  share(
    () => ourServer('-o', 'hostname=!'),
    (started) => (firstServer = started),
    () => firstServer[Symbol.asyncDispose](),
  );
  beforeAll(async () => {
    for (const account of ['a', 'our-a']) {
      await dovecot.doveadm(['mailbox', 'create', '-u', account, ...BOXES.slice(1)]);
      await deliver(account, ['first']);
    }
    // Mailboxes of the same name become one here, so that later runs only carry mail.
    expect(await doveadm([], server.port)).toMatchObject({ code: 0, stderr: '' });
  });

  const doveadm = (options: readonly string[], port: number): Promise<Outcome> =>
    dovecot.doveadm(['sync', ...options, '-u', 'a', `tcp:127.0.0.1:${port}`]);

  /** Ours, started where the account lies; the user at the other end is always `a`. */
  const ours = (account: string, options: readonly string[], port: number): Promise<Outcome> => {
    // A name larger than the Dovecot's leaves the lock to it.
    const settings = ['-o', `mail_home=${home(account)}`, ...(account === 'a' ? [] : ['-o', 'hostname=~'])];
    return dsync(dovecot.mailUid, location(account), [
      ...settings,
      'sync',
      ...options,
      ...['-u', 'a', `tcp:127.0.0.1:${port}`],
    ]);
  };

  const deliver = async (account: string, subjects: readonly string[]): Promise<void> => {
    await using imap = await ImapClient.login(dovecot.imapPort, account);
    for (const box of BOXES)
      for (const subject of subjects) await imap.command(`APPEND ${box}`, Buffer.from(`Subject: ${subject}\r\n\r\n`));
  };

  const mails = async (account: string): Promise<string[]> => {
    const { stdout } = await dovecot.doveadm([
      ...['-f', 'tab', 'fetch', '-u', account, 'mailbox uid guid hdr.subject', 'ALL'],
    ]);
    return stdout.toString('utf8').trimEnd().split('\n').slice(1).sort();
  };

  const TIMED_OUT = { code: 75, stderr: expect.stringMatching(/Couldn't lock .*: Timed out after 1 seconds/) };
  const BY_PROCESS = { code: 75, stderr: expect.stringMatching(/\(WRITE lock held by pid [1-9]\d*\)\n$/) };

  test('a doveadm that has the lock makes ours wait', async () => {
    await using proxy = await startHoldingProxy(server.port, isLocked('a'));
    const holder = doveadm(['-l', '30'], proxy.port);
    await proxy.held;
    const late = await ours('a', ['-l', '1'], server.port);
    expect(late).toMatchObject(TIMED_OUT);
    expect(late).toMatchObject(BY_PROCESS);
    const patient = ours('a', ['-l', '30'], server.port);
    proxy.release();
    expect(await holder).toMatchObject({ code: 0, stderr: '' });
    expect(await patient).toMatchObject({ code: 0, stderr: '' });
  });

  test('ours that has the lock makes a doveadm wait, and another of ours', async () => {
    await using proxy = await startHoldingProxy(server.port, isLocked('a'));
    const holder = ours('a', ['-l', '30'], proxy.port);
    await proxy.held;
    expect(await doveadm(['-l', '1'], server.port)).toMatchObject(TIMED_OUT);
    const second = await ours('a', ['-l', '1'], server.port);
    expect(second).toMatchObject(TIMED_OUT);
    expect(second).toMatchObject(BY_PROCESS);
    const patient = [doveadm(['-l', '30'], server.port), ours('a', ['-l', '30'], server.port)];
    proxy.release();
    for (const run of [holder, ...patient]) expect(await run).toMatchObject({ code: 0, stderr: '' });
  });

  test('a server of ours takes the lock where its name is the smaller one', async () => {
    await using proxy = await startHoldingProxy(firstServer.port, isLocked('our-a'));
    const holder = doveadm(['-l', '30'], proxy.port);
    await proxy.held;
    expect(await doveadm(['-l', '1'], firstServer.port)).toMatchObject({ code: 75 });
    expect(await ours('a', ['-l', '1'], firstServer.port)).toMatchObject(TIMED_OUT);
    const patient = [doveadm(['-l', '30'], firstServer.port), ours('a', ['-l', '30'], firstServer.port)];
    proxy.release();
    for (const run of [holder, ...patient]) expect(await run).toMatchObject({ code: 0 });
  });

  test('a Dovecot that serves takes the lock where its name is the smaller one', async () => {
    await using proxy = await startHoldingProxy(dovecot.doveadmPort, isLocked('a'));
    const holder = ours('our-a', ['-l', '30'], proxy.port);
    await proxy.held;
    expect(await ours('a', ['-l', '1'], server.port)).toMatchObject(TIMED_OUT);
    expect(await doveadm(['-l', '1'], server.port)).toMatchObject(TIMED_OUT);
    expect(await ours('our-a', ['-l', '1'], dovecot.doveadmPort)).toMatchObject({ code: 75 });
    const patient = [ours('a', ['-l', '30'], server.port), ours('our-a', ['-l', '30'], dovecot.doveadmPort)];
    proxy.release();
    for (const run of [holder, ...patient]) expect(await run).toMatchObject({ code: 0, stderr: '' });
  });

  test('a Dovecot gives no UIDs while a lock of a UID list as ours is there', async () => {
    const maildir = join(home('a'), 'Maildir');
    const uidlist = join(maildir, 'dovecot-uidlist');
    const before = await readFile(uidlist, 'utf8');
    await writeFile(`${uidlist}.lock`, `${process.pid}:${hostname()}`, { flag: 'wx', mode: 0o600 });
    const fetch = ['fetch', '-u', 'a', 'uid', 'mailbox', 'INBOX', 'subject', 'held'];
    let reading: Promise<Outcome>;
    try {
      // It is put into new/ at once; who reads the mailbox next has to give it a UID.
      expect(await dovecot.doveadm(['save', '-u', 'a', '-m', 'INBOX'], 'Subject: held\n\n')).toMatchObject({ code: 0 });
      reading = dovecot.doveadm(fetch);
      expect(await readFile(uidlist, 'utf8')).toBe(before);
    } finally {
      await rm(`${uidlist}.lock`);
    }
    expect((await reading).code).toBe(0);
    const uids = (await dovecot.doveadm(fetch)).stdout.toString('utf8');
    expect(uids).toMatch(/^uid: [0-9]+\n$/);
    expect(await readFile(uidlist, 'utf8')).toContain(`\n${uids.slice(5, -1)} `);
  });

  describe('at the same time', () => {
    const ROUNDS = 6;

    // Two ends that each have locked a mailbox and want it at the other end would wait for each other: what -l is for.
    test.each([
      { where: 'the same end', account: 'a', options: [], codes: [0, 2] },
      { where: 'both ends, with -l', account: 'our-a', options: ['-l', '30'], codes: [0] },
    ])('a doveadm and ours from $where lose and double nothing', async ({ account, options, codes }) => {
      const before = await mails('a');
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const to of ['a', 'our-a'])
          await deliver(to, [`${account} ${to} ${round}.1`, `${account} ${to} ${round}.2`]);
        const [theirs, mine] = await Promise.all([
          doveadm(options, server.port),
          ours(account, options, account === 'a' ? server.port : dovecot.doveadmPort),
        ]);
        // 2: the one has seen what the other did meanwhile, and asks to be run again.
        expect(codes).toContain(theirs.code);
        expect(codes).toContain(mine.code);
        expect(await doveadm([], server.port)).toMatchObject({ code: 0, stderr: '' });
        const after = await mails('a');
        expect(await mails('our-a')).toEqual(after);
        expect(after).toHaveLength(before.length + round * 2 * BOXES.length * 2);
        expect(new Set(after.map((line) => line.split('\t')[2])).size).toBe(after.length);
      }
    });
  });
}
