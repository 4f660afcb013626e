/** The programs on two Maildirs, and what is left of these after something went wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import type { TemporaryFolder } from '../support/maildir-side.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { listenOnFreePort } from '../support/sockets.ts';

const BIN = join(import.meta.dirname, '../../node_modules/.bin');

/** `doveadm_password` of both programs. */
export const PASSWORD = 'of the server';

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs `dsync` to its end; `as` is the user that it runs as. */
export function dsync(
  maildir: string,
  args: readonly string[],
  more: { readonly as?: number; readonly password?: string } = {},
): Promise<Ended> {
  const settings = ['-o', `mail_location=maildir:${maildir}`, '-o', `doveadm_password=${more.password ?? PASSWORD}`];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(BIN, 'dsync'), ...settings, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(more.as === undefined ? {} : { uid: more.as, gid: more.as, env: { ...process.env, HOME: '/nonexistent' } }),
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stderr }));
  });
}

/** Two Maildirs of one user. */
export interface Pair {
  readonly folder: string;
  readonly near: string;
  readonly far: string;
  /** Delivers a mail to one side. */
  deliver(side: 'near' | 'far', name: string, folder?: string, bytes?: number): void;
}

/** Two Maildirs that are equal. */
export async function syncedPair(folder: TemporaryFolder): Promise<Pair> {
  const pair: Pair = {
    folder: folder.path,
    near: join(folder.path, 'near', 'Maildir'),
    far: join(folder.path, 'far', 'Maildir'),
    deliver(side, name, box = '', bytes = 20) {
      const at = join(this[side], box);
      for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(at, part), { recursive: true });
      writeFileSync(join(at, 'new', `${name}.elsewhere`), `Subject: ${name}\n\n${'x'.repeat(bytes)}\n`);
    },
  };
  pair.deliver('near', '1700000001.M1P1');
  pair.deliver('near', '1700000002.M2P1', '.Sent');
  mkdirSync(join(folder.path, 'far'), { recursive: true });
  expect(await dsync(pair.near, ['sync', '-u', 'anna', `maildir:${pair.far}`])).toEqual({ status: 0, stderr: '' });
  return pair;
}

/** The other side's own lines, which it sends along, come before. */
export const oneLine = (stderr: string): boolean => /^([^\n]*: remote: [^\n]*\n)*[^\n]+\n$/.test(stderr);

/** A side's own look at mails that others delivered gives them UIDs, whatever comes of the run. */
const withoutUids = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !line.includes('dovecot-uidlist'));

/** One line that says why, the status, and neither side is different from before. */
export async function expectRefusal(
  pair: Pair,
  run: () => Promise<Ended>,
  status: number,
  says: RegExp,
): Promise<void> {
  const seen = (): readonly unknown[] => [withoutUids(snapshotOf(pair.near)), snapshotOf(pair.far)];
  const before = seen();
  const ended = await run();
  expect(ended).toMatchObject({ status, stderr: expect.stringMatching(says) });
  expect({ oneLine: oneLine(ended.stderr), stderr: ended.stderr }).toMatchObject({ oneLine: true });
  expect(seen()).toEqual(before);
}

/** A server that runs, ours or another. */
export interface RunningServer extends AsyncDisposable {
  readonly port: number;
}

interface LoggingServer extends RunningServer {
  /** Its log so far. */
  readonly said: () => string;
  /** Resolves when there is something like that in it. */
  readonly logs: (pattern: RegExp) => Promise<void>;
}

/** The real server, for users whose folders are below `root`. */
export async function startServer(root: string): Promise<LoggingServer> {
  const settings = ['-o', `mail_location=maildir:${root}/%u/Maildir`, '-o', `doveadm_password=${PASSWORD}`];
  const child = spawn(process.execPath, [join(BIN, 'dsync-server'), ...settings, '--listen', 'tcp:127.0.0.1:0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /listening on .*:(\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    void ended.then(() => reject(new Error(`the server ended: ${said}`)));
  });
  return {
    port,
    said: () => said,
    logs: async (pattern) => {
      while (!pattern.test(said) && child.exitCode === null) await Promise.race([once(child.stderr, 'data'), ended]);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A listener that is no server of ours. */
export async function startImpostor(greet: (socket: Socket) => void): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    greet(socket);
  });
  return {
    port: await listenOnFreePort(server),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
