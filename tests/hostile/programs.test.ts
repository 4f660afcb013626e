/** Bad input and a bad machine, as a user of the programs meets them: one line, its exit status, and the mail as before. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/maildir-side.ts';
import { describeWith } from '../support/needs.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { dsync, type Ended, expectRefusal, oneLine, startImpostor, startServer, syncedPair } from './programs.ts';

/** An ordinary user of every system. */
const NOBODY = 65_534;

describe('over the network', () => {
  test('a wrong password is 75', async () => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    await using server = await startServer(folder.path);
    const run = (): Promise<Ended> =>
      dsync(pair.near, ['sync', '-u', 'far', `tcp:127.0.0.1:${server.port}`], { password: 'a guess' });
    await expectRefusal(pair, run, 75, /[Aa]uth|login|password/);
    expect((await dsync(pair.near, ['sync', '-u', 'far', `tcp:127.0.0.1:${server.port}`])).status).toBe(0);
  });

  test.each(['nobody-here', '../far', '..', 'a/b', ''])('an unknown user is 67 or misuse: %j', async (user) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    await using server = await startServer(folder.path);
    const run = (): Promise<Ended> => dsync(pair.near, ['sync', '-u', user, `tcp:127.0.0.1:${server.port}`]);
    await expectRefusal(pair, run, user === '' ? 64 : 67, user === '' ? /-u/ : /User doesn't exist/);
    expect(readdirSync(folder.path).toSorted()).toEqual(['far', 'near']);
  });

  const garbage = randomBytes(5000);
  test.each<[string, (socket: Socket) => void]>([
    ['answers with garbage', (socket) => socket.write(garbage)],
    ['answers with an endless line', (socket) => socket.write('x'.repeat(1_000_000))],
    ['speaks another protocol', (socket) => socket.write('* OK [CAPABILITY IMAP4rev1] ready\r\n')],
    ['closes at once', (socket) => socket.end()],
    ['says nothing', () => {}],
  ])('a server that %s is 75', async (_what, greet) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    await using impostor = await startImpostor(greet);
    const run = (): Promise<Ended> =>
      dsync(pair.near, ['sync', '-u', 'far', '--connect-timeout', '1', '-T', '1', `tcp:127.0.0.1:${impostor.port}`]);
    await expectRefusal(pair, run, 75, /Error: /);
  });

  test('a client that sends garbage, or nothing, or a huge frame, leaves the server to the others', async () => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    await using server = await startServer(folder.path);
    const before = snapshotOf(pair.far);
    const sockets = [
      garbage,
      Buffer.alloc(0),
      Buffer.from('VERSION\tdoveadm-server\t1\t4\n'.repeat(10)),
      Buffer.alloc(2_000_000, 0xff),
    ].map((bytes) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      return socket;
    });
    expect(snapshotOf(pair.far)).toEqual(before);
    expect((await dsync(pair.near, ['sync', '-u', 'far', `tcp:127.0.0.1:${server.port}`])).status).toBe(0);
    for (const socket of sockets) socket.destroy();
  });
});

describe('files that are not what they must be', () => {
  test.each([
    ['garbage', (file: string): void => writeFileSync(file, randomBytes(300))],
    ['cut off in its header', (file: string): void => truncateSync(file, 20)],
    ['of a version that does not exist', (file: string): void => writeFileSync(file, '99 V1 N1 Gabc\n')],
    [
      'with a record that is none',
      (file: string): void => writeFileSync(file, '3 V7 N5 G000000000000000000000000000000a1\nx :y\n'),
    ],
    [
      'with UIDs that do not ascend',
      (file: string): void => writeFileSync(file, '3 V7 N5 G000000000000000000000000000000a1\n3 :y\n2 :z\n'),
    ],
  ])('a uidlist that is %s is 75, and is not mended by guessing', async (_what, damage) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1');
    damage(join(pair.far, 'dovecot-uidlist'));
    const run = (): Promise<Ended> => dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`]);
    await expectRefusal(pair, run, 75, /dovecot-uidlist/);
  });

  test.each([
    ['garbage', (file: string): void => writeFileSync(file, randomBytes(100_000))],
    ['cut in half', (file: string): void => truncateSync(file, 9000)],
    ['empty', (file: string): void => truncateSync(file, 0)],
  ])('a journal that is %s costs a comparison, and no mail', async (_what, damage) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    const before = [snapshotOf(pair.near), snapshotOf(pair.far)];
    for (const side of [pair.near, pair.far]) damage(join(side, 'dsync-journal'));
    const ended = await dsync(pair.near, ['sync', '-f', '-u', 'anna', `maildir:${pair.far}`]);
    expect(ended.status).toBe(0);
    for (const line of ended.stderr.split('\n').filter((text) => text !== ''))
      expect(line).toMatch(/Warning: .*journal/);
    expect([snapshotOf(pair.near), snapshotOf(pair.far)]).toEqual(before);
    expect(await dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`])).toEqual({ status: 0, stderr: '' });
  });
});

/** A disk of one MiB at a new folder. */
function smallDisk(path: string): Disposable & { readonly path: string } {
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'dsync-test', path]);
  return { path, [Symbol.dispose]: () => execFileSync('umount', [path]) };
}

describeWith(['root'], 'a machine that fails', () => {
  test('a disk that is full is 75; with room again, the run completes', async () => {
    await using folder = temporaryFolder('hostile');
    using disk = smallDisk(join(folder.path, 'far'));
    const pair = await syncedPair(folder);
    for (let n = 10; n < 40; n += 1) pair.deliver('near', `17000000${n}.M${n}P1`, n % 2 === 0 ? '' : '.Sent', 60_000);
    const run = (): Promise<Ended> => dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`]);
    const before = snapshotOf(pair.far);
    const ended = await run();
    expect(ended).toMatchObject({ status: 75, stderr: expect.stringMatching(/ENOSPC|no space|full/i) });
    expect(oneLine(ended.stderr)).toBe(true);
    expect(snapshotOf(pair.far)).toEqual(before);
    execFileSync('mount', ['-o', 'remount,size=16m', disk.path]);
    expect(await run()).toEqual({ status: 0, stderr: '' });
    expect(mailsIn(pair.far)).toEqual(mailsIn(pair.near));
  });

  test('a disk with hardly any room is told of in one line, whatever it is that does not fit', async () => {
    await using folder = temporaryFolder('hostile');
    using disk = smallDisk(join(folder.path, 'far'));
    const pair = await syncedPair(folder);
    const filler = join(disk.path, 'filler');
    for (let kib = 4; kib <= 48; kib += 4) {
      writeFileSync(filler, '');
      expect(() => appendFileSync(filler, Buffer.alloc(2_000_000))).toThrow('ENOSPC');
      truncateSync(filler, statSync(filler).size - kib * 1024);
      pair.deliver('near', `17000000${10 + kib}.M${kib}P1`);
      const { stderr } = await dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`]);
      expect(stderr).toMatch(/^(?:dsync\(anna\): Error: [^\n]*\n)?$/);
    }
    rmSync(filler);
    expect((await dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`])).status).toBe(0);
    expect(mailsIn(pair.far)).toEqual(mailsIn(pair.near));
  });

  test.each([
    ['a folder', '.Sent', 0o000],
    ['the mails of a folder', '.Sent/cur', 0o000],
    ['a folder that can be read but not written', '.Sent', 0o500],
  ])('%s that an ordinary user may not open is 77', async (_what, name, mode) => {
    await using folder = temporaryFolder('hostile');
    const pair = await syncedPair(folder);
    pair.deliver('near', '1700000009.M9P1', '.Sent');
    chmodSync(folder.path, 0o755);
    for (const side of ['near', 'far']) {
      lchownSync(join(folder.path, side), NOBODY, NOBODY);
      for (const entry of readdirSync(join(folder.path, side), { recursive: true, encoding: 'utf8' }))
        lchownSync(join(folder.path, side, entry), NOBODY, NOBODY);
    }
    chmodSync(join(pair.far, name), mode);
    if (mode === 0o500) for (const part of ['cur', 'new', 'tmp']) chmodSync(join(pair.far, name, part), mode);
    const run = (): Promise<Ended> => dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`], { as: NOBODY });
    const before = snapshotOf(pair.far);
    const ended = await run();
    expect(ended).toMatchObject({ status: 77, stderr: expect.stringMatching(/EACCES|permission/i) });
    expect({ oneLine: oneLine(ended.stderr), stderr: ended.stderr }).toMatchObject({ oneLine: true });
    expect(snapshotOf(pair.far)).toEqual(before);
  });
});

/** Digests of all mails, sorted. */
const mailsIn = (root: string): readonly string[] =>
  snapshotOf(root)
    .filter((line) => /(^|\/)(cur|new)\/[^ ]/.test(line))
    .map((line) => line.split(' ').at(-1) ?? '')
    .toSorted();
