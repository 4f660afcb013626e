/** The life of a server: where it listens, how much it bears, how it ends. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

import { describe, expect, test } from '@jest/globals';

import { chunksOf, listenOnFreePort } from '../../../tests/support/sockets.ts';
import { PASSWORD, Place, Server } from './programs.ts';

describe('an address that cannot be listened on is one line, with a status of its own', () => {
  test('in use already', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const address = `tcp:127.0.0.1:${server.port}`;
    await expect(Server.start(place, address)).rejects.toThrow(
      `the server ended with 75: dsync-server: Error: cannot listen on ${address}: address already in use`,
    );
  });

  test('of another machine', async () => {
    using place = new Place();
    await expect(Server.start(place, 'tcp:192.0.2.1:0')).rejects.toThrow(
      'ended with 78: dsync-server: Error: cannot listen on tcp:192.0.2.1:0: address not available',
    );
  });

  test('in no folder', async () => {
    using place = new Place();
    await expect(Server.start(place, 'unix:/nonexistent/socket')).rejects.toThrow(
      'ended with 78: dsync-server: Error: unix:/nonexistent/socket: there is no folder /nonexistent',
    );
  });
});

/** Opens a session by hand and goes no further than its first words, or the refusal. */
async function openSession(port: number, ...args: readonly string[]): Promise<Socket & { readonly heard: string }> {
  const socket = Object.assign(connect({ host: '127.0.0.1', port }), { heard: '' });
  socket.on('data', (chunk: Buffer) => (socket.heard += chunk.toString('latin1')));
  const login = `PLAIN\t${Buffer.from(`\0doveadm\0${PASSWORD}`).toString('base64')}`;
  socket.write(`VERSION\tdoveadm-server\t1\t0\n${login}\n${['', 'u1', 'dsync-server', '-uu1', ...args].join('\t')}\n`);
  while (!/VERSION\tdsync|\n-[A-Z]+\n/.test(socket.heard)) await once(socket, 'data');
  return socket;
}

describe('what a server bears', () => {
  test('no more sessions at once than the limit, and again one when another has ended', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const sessions: Socket[] = [];
    for (let i = 0; i < 64; i++) sessions.push(await openSession(server.port));
    const refused = await openSession(server.port);
    expect(refused.heard).toMatch(/\n-TEMPFAIL\n$/);
    const reason = 'session refused: 64 sessions are under way, try again later';
    const outcome = await place.syncOver(`tcp:127.0.0.1:${server.port}`, { more: ['--json'] });
    expect(outcome.stderr).toContain(`dsync(u1): Error: remote: dsync-server(u1): ${reason}\n`);
    expect(outcome.status).toBe(75);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      exitCode: 75,
      warnings: [`remote: dsync-server(u1): ${reason}`],
      error: { code: 'TEMPFAIL' },
    });
    await server.logs(new RegExp(`^dsync-server\\(u1\\): Warning: ${reason}$`));
    for (const session of sessions) session.destroy();
    // Each of them is logged when it has ended.
    await server.logs(/dsync-server\(u1\): (?!.*refused)/, 64);
    expect(await place.syncOver(`tcp:127.0.0.1:${server.port}`)).toMatchObject({ status: 0 });
  });

  test('no session in which nothing happens, for as long as the peer itself says', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const idle = await openSession(server.port, '-T', '1');
    idle.on('error', () => undefined);
    await once(idle, 'close');
    await server.logs(/dsync-server\(u1\): Error: .*no activity for 1 second$/m);
  });
});

/** Passes bytes on until the server has begun a session; the rest when it is told to. */
async function holdingRelay(port: number): Promise<{
  readonly port: number;
  readonly held: Promise<void>;
  readonly release: () => void;
  readonly close: () => void;
}> {
  let isHeld = (): void => {};
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (isHeld = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const backwards = async (target: Socket, client: Socket): Promise<void> => {
    for await (const chunk of chunksOf(target)) {
      if (chunk.includes('VERSION\tdsync')) {
        isHeld();
        await released;
      }
      client.write(chunk);
    }
    client.end();
  };
  const relay = createServer((client) => {
    const target = connect({ host: '127.0.0.1', port });
    for (const socket of [client, target]) socket.on('error', () => undefined);
    client.pipe(target);
    void backwards(target, client);
  });
  return { port: await listenOnFreePort(relay), held, release, close: () => relay.close() };
}

describe('the end of a server', () => {
  test('comes after the sessions under way', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const session = await openSession(server.port);
    const ended = server.stop();
    await server.logs(/stopping/);
    const late = connect({ host: '127.0.0.1', port: server.port });
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(server.child.exitCode).toBeNull();
    session.destroy();
    expect(await ended).toBe(0);
  });

  test('lets a run come to its own end', async () => {
    using place = new Place();
    place.deliver('a', 'one');
    place.deliver('b', 'two');
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const relay = await holdingRelay(server.port);
    const running = place.syncOver(`tcp:127.0.0.1:${relay.port}`);
    await relay.held;
    const ended = server.stop();
    await server.logs(/stopping/);
    relay.release();
    expect(await running).toMatchObject({ status: 0, stderr: '' });
    expect(await ended).toBe(0);
    expect(place.subjects('b')).toEqual(['one', 'two']);
    expect(place.subjects('a')).toEqual(['one', 'two']);
    relay.close();
  });

  test('a second signal cuts them', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const session = await openSession(server.port);
    session.on('error', () => undefined);
    const ended = server.stop();
    await server.logs(/stopping/);
    server.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    session.destroy();
  });
});
