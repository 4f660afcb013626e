/** Runs with a server over TCP and UNIX sockets, ours or another. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { listenOnFreePort } from '../../../tests/support/sockets.ts';
import { PASSWORD, Place, Server } from './programs.ts';

describe('over TCP', () => {
  test('two users at once, each with their own mail', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    place.deliver('a', 'one', { flags: 'S' });
    place.deliver('b', 'two', { flags: 'F' });
    place.deliver('a', 'three', { flags: '', user: 'u2' });
    const outcomes = await Promise.all(
      ['u1', 'u2'].map((user) => place.syncOver(`tcp:127.0.0.1:${server.port}`, { user })),
    );
    expect(outcomes).toMatchObject([
      { status: 0, stderr: '' },
      { status: 0, stderr: '' },
    ]);
    expect([place.subjects('a'), place.subjects('b')]).toEqual([
      ['one S', 'two F'],
      ['one S', 'two F'],
    ]);
    expect(place.subjects('b', '', 'u2')).toEqual(['three']);
  });

  test.each([
    ['a wrong password', { password: 'wrong' }, 75, /login failed: the server does not accept doveadm_password/],
    ['an unknown user', { user: 'u3' }, 67, /^dsync\(u3\): Error: User doesn't exist: u3\n$/],
  ] as const)('%s', async (_name, options, status, message) => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    // Known here, so that it is the server who refuses.
    place.deliver('a', 'one', { user: 'u3' });
    expect(await place.syncOver(`tcp:127.0.0.1:${server.port}`, options)).toMatchObject({
      status,
      stdout: '',
      stderr: expect.stringMatching(message),
    });
    expect(server.stderr).not.toContain(PASSWORD);
  });

  test('the password is in no log and no raw log', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0', ['-D']);
    place.deliver('a', 'one');
    const raw = join(place.folder, 'raw');
    const outcome = await place.syncOver(`tcp:127.0.0.1:${server.port}`, { more: ['-D', '-r', raw] });
    expect(outcome.status).toBe(0);
    const secret = Buffer.from(`\0doveadm\0${PASSWORD}`).toString('base64');
    for (const text of [
      outcome.stderr,
      server.stderr,
      readFileSync(`${raw}.in`, 'latin1'),
      readFileSync(`${raw}.out`, 'latin1'),
    ]) {
      expect(text.length).toBeGreaterThan(0);
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(secret);
    }
  });

  test('a dry run leaves the server’s side as it is', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    place.deliver('a', 'one');
    const outcome = await place.syncOver(`tcp:127.0.0.1:${server.port}`, { more: ['--dry-run'] });
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/save UID 1/) });
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
  });
});

test('over a UNIX socket that only its owner can open, no password is asked for', async () => {
  using place = new Place();
  const socket = join(place.folder, 'socket');
  await using _server = await Server.start(place, `unix:${socket}`);
  place.deliver('a', 'one');
  expect(await place.syncOver(`unix:${socket}`, { password: 'wrong' })).toMatchObject({ status: 0, stderr: '' });
  expect(place.subjects('b')).toEqual(['one']);
  expect(await place.syncOver(`unix:${place.folder}/none`)).toMatchObject({
    status: 75,
    stderr: expect.stringMatching(/connect\(.*none\) failed/),
  });
});

describe('other servers', () => {
  /** A server that plays a script. */
  async function scripted(script: (socket: Socket) => void): Promise<{ readonly port: number; close(): void }> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      script(socket);
    });
    return { port: await listenOnFreePort(server), close: () => server.close() };
  }

  test.each([
    ['closes at once', (s: Socket): void => void s.end(), /closed the connection at once: too many connections or/],
    ['is no doveadm server', (s: Socket): void => void s.end('* OK IMAP4rev1\r\n'), /no doveadm server/],
    ['speaks a later major', (s: Socket): void => void s.end('VERSION\tdoveadm-client\t2\t0\n-\n'), /the peer wants/],
    [
      'refuses the command',
      (s: Socket): void => void s.end('VERSION\tdoveadm-client\t1\t0\n+\n\n-USAGE\n'),
      /refused the session: USAGE/,
    ],
    ['is full of lines', (s: Socket): void => void s.write('x'.repeat(100_000)), /a line of more than/],
    [
      'sends a giant packet',
      (s: Socket): void => void s.write('VERSION\tdoveadm-client\t1\t2\n+\n\0\x7f\xff\xff\xff'),
      /a packet of/,
    ],
    ['says nothing', (): void => undefined, /too long|no answer/],
  ] as const)('one that %s', async (_name, script, message) => {
    using place = new Place();
    place.deliver('a', 'one');
    const server = await scripted(script);
    const outcome = await place.syncOver(`tcp:127.0.0.1:${server.port}`, { more: ['--connect-timeout', '1'] });
    server.close();
    expect(outcome).toMatchObject({ stdout: '', stderr: expect.stringMatching(message) });
    expect([64, 75]).toContain(outcome.status);
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
