import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { makeCertificates, writeCertificates } from '../../../certs/make-certificates.ts';
import { chunksOf, listenOnFreePort } from '../../../tests/support/sockets.ts';
import { DSYNC, PASSWORD, Place, run, Server, type Outcome } from './programs.ts';

/** Certificates are slow to make, so all tests share them: good ones, another authority’s, another name’s, expired ones. */
let certs: Place;
const KINDS = { good: {}, stranger: {}, elsewhere: { names: ['mail.example.org'] }, expired: { days: -1 } } as const;
type CertKind = keyof typeof KINDS;

beforeAll(() => {
  certs = new Place();
  for (const [kind, options] of Object.entries(KINDS))
    writeCertificates(join(certs.folder, kind), makeCertificates(options));
});
afterAll(() => certs[Symbol.dispose]());

const file = (kind: CertKind, name: string): string => join(certs.folder, kind, name);
const serverTls = (kind: CertKind): string[] => [
  '-o',
  `ssl_cert=<${file(kind, 'server.crt')}`,
  '-o',
  `ssl_key=<${file(kind, 'server.key')}`,
];

interface SyncOptions {
  readonly user?: string;
  readonly password?: string;
  readonly ca?: CertKind;
  readonly more?: readonly string[];
}

function sync(place: Place, destination: string, options: SyncOptions = {}): Promise<Outcome> {
  return run(DSYNC, [
    '-o',
    place.mail('a'),
    '-o',
    `doveadm_password=${options.password ?? PASSWORD}`,
    ...(options.ca === undefined ? [] : ['-o', `ssl_client_ca_file=${file(options.ca, 'ca.crt')}`]),
    'sync',
    '-u',
    options.user ?? 'u1',
    ...(options.more ?? []),
    destination,
  ]);
}

describe('over TCP', () => {
  test('two users at once, each with their own mail', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    place.deliver('a', 'one', { flags: 'S' });
    place.deliver('b', 'two', { flags: 'F' });
    place.deliver('a', 'three', { flags: '', user: 'u2' });
    const outcomes = await Promise.all(
      ['u1', 'u2'].map((user) => sync(place, `tcp:127.0.0.1:${server.port}`, { user })),
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
    expect(await sync(place, `tcp:127.0.0.1:${server.port}`, options)).toMatchObject({
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
    const outcome = await sync(place, `tcp:127.0.0.1:${server.port}`, { more: ['-D', '-r', raw] });
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
    const outcome = await sync(place, `tcp:127.0.0.1:${server.port}`, { more: ['--dry-run'] });
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/save UID 1/) });
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
  });
});

test('over a UNIX socket that only its owner can open, no password is asked for', async () => {
  using place = new Place();
  const socket = join(place.folder, 'socket');
  await using _server = await Server.start(place, `unix:${socket}`);
  place.deliver('a', 'one');
  expect(await sync(place, `unix:${socket}`, { password: 'wrong' })).toMatchObject({ status: 0, stderr: '' });
  expect(place.subjects('b')).toEqual(['one']);
  expect(await sync(place, `unix:${place.folder}/none`)).toMatchObject({
    status: 75,
    stderr: expect.stringMatching(/connect\(.*none\) failed/),
  });
});

describe('over TLS', () => {
  test('to the name and to the addresses of the certificate', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcps:127.0.0.1:0', serverTls('good'));
    place.deliver('a', 'one');
    for (const host of ['localhost', '127.0.0.1']) {
      expect(await sync(place, `tcps:${host}:${server.port}`, { ca: 'good' })).toMatchObject({ status: 0, stderr: '' });
    }
    expect(place.subjects('b')).toEqual(['one']);
  });

  test.each([
    ['another authority', 'good', 'stranger', /signature|self-signed|unable to (get|verify)/i],
    ['no authority given: the system’s', 'good', undefined, /self-signed|unable to (get|verify)/i],
    ['another name', 'elsewhere', 'elsewhere', /does not match certificate/],
    ['an expired certificate', 'expired', 'expired', /expired/],
  ] as const)('refuses %s', async (_name, kind, ca, message) => {
    using place = new Place();
    await using server = await Server.start(place, 'tcps:127.0.0.1:0', serverTls(kind));
    place.deliver('a', 'one');
    const outcome = await sync(place, `tcps:localhost:${server.port}`, ca === undefined ? {} : { ca });
    expect(outcome).toMatchObject({ status: 75, stdout: '', stderr: expect.stringMatching(message) });
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
  });

  test('is never given up for clear text, on either side', async () => {
    using place = new Place();
    await using plain = await Server.start(place, 'tcp:127.0.0.1:0');
    await using encrypted = await Server.start(place, 'tcps:127.0.0.1:0', serverTls('good'));
    place.deliver('a', 'one');
    expect((await sync(place, `tcps:localhost:${plain.port}`, { ca: 'good' })).status).toBe(75);
    expect((await sync(place, `tcp:localhost:${encrypted.port}`)).status).toBe(75);
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
  });

  test('after the greeting with doveadm_ssl = starttls, the certificate proven as ever', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0', serverTls('good'));
    const startTls = { more: ['-o', 'doveadm_ssl=starttls'] };
    place.deliver('a', 'one');
    const stranger = await sync(place, `tcp:localhost:${server.port}`, { ca: 'stranger', ...startTls });
    expect(stranger).toMatchObject({ status: 75, stderr: expect.stringMatching(/signature|self-signed|unable to/i) });
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
    expect(await sync(place, `tcp:localhost:${server.port}`, { ca: 'good', ...startTls })).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(place.subjects('b')).toEqual(['one']);
  });

  test('a server that cannot do STARTTLS gets nothing in clear text', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    place.deliver('a', 'one');
    const outcome = await sync(place, `tcp:localhost:${server.port}`, {
      ca: 'good',
      more: ['-o', 'doveadm_ssl=starttls'],
    });
    expect(outcome).toMatchObject({ status: 75, stdout: '' });
    expect(place.listing('b')).toEqual(['u1 ', 'u2 ']);
  });

  test('a listener without a certificate is a mistake of the settings', async () => {
    using place = new Place();
    await expect(Server.start(place, 'tcps:127.0.0.1:0')).rejects.toThrow(
      /ended with 78: .*needs ssl_cert and ssl_key/,
    );
  });

  test('so is one that cannot be read; a client with the same settings does not need it', async () => {
    using place = new Place();
    const tls = ['-o', 'ssl_cert=</nonexistent.pem', '-o', 'ssl_key=</nonexistent.pem'];
    await expect(Server.start(place, 'tcp:127.0.0.1:0', tls)).rejects.toThrow(
      /ended with 78: dsync-server: Error: -o ssl_cert: cannot read \/nonexistent\.pem/,
    );
    expect(await place.sync(...tls)).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    [['good', 'stranger'], 'tcps:127.0.0.1:0', /ended with 78: .*ssl_key cannot be used: the key is not that of the/],
    [['good', 'stranger'], 'tcp:127.0.0.1:0', /ended with 78: .*ssl_key cannot be used: the key is not that of the/],
  ] as const)('a key that is not the certificate’s is one, too: %j %s', async ([cert, key], listen, message) => {
    using place = new Place();
    const tls = ['-o', `ssl_cert=<${file(cert, 'server.crt')}`, '-o', `ssl_key=<${file(key, 'server.key')}`];
    await expect(Server.start(place, listen, tls)).rejects.toThrow(message);
  });

  test('new certificates are taken over with SIGHUP', async () => {
    using place = new Place();
    for (const name of ['server.crt', 'server.key'])
      writeFileSync(join(place.folder, name), readFileSync(file('good', name)));
    const tls = ['-o', `ssl_cert=<${place.folder}/server.crt`, '-o', `ssl_key=<${place.folder}/server.key`];
    await using server = await Server.start(place, 'tcps:127.0.0.1:0', tls);
    const destination = `tcps:localhost:${server.port}`;
    expect((await sync(place, destination, { ca: 'stranger' })).status).toBe(75);
    for (const name of ['server.crt', 'server.key'])
      writeFileSync(join(place.folder, name), readFileSync(file('stranger', name)));
    server.child.kill('SIGHUP');
    await server.logs(/reloaded/);
    expect((await sync(place, destination, { ca: 'stranger' })).status).toBe(0);
    writeFileSync(join(place.folder, 'server.crt'), 'nonsense');
    server.child.kill('SIGHUP');
    await server.logs(/reload failed, the old settings stay/);
    expect((await sync(place, destination, { ca: 'stranger' })).status).toBe(0);
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

describe('what a server bears', () => {
  test('no more sessions at once than the limit, and again one when another has ended', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const sessions: Socket[] = [];
    for (let i = 0; i < 64; i++) sessions.push(await openSession(server.port));
    const refused = await openSession(server.port);
    expect(refused.heard).toMatch(/\n-TEMPFAIL\n$/);
    expect(await sync(place, `tcp:127.0.0.1:${server.port}`)).toMatchObject({ status: 75 });
    await server.logs(/session of u1 refused: 64 sessions are under way/);
    for (const session of sessions) session.destroy();
    // Each of them is logged when it has ended.
    await server.logs(/dsync-server\(u1\): (?!.*refused)/, 64);
    expect(await sync(place, `tcp:127.0.0.1:${server.port}`)).toMatchObject({ status: 0 });
  });

  test('no session in which nothing happens, for as long as the peer itself says', async () => {
    using place = new Place();
    await using server = await Server.start(place, 'tcp:127.0.0.1:0');
    const idle = await openSession(server.port, '-T', '1');
    idle.on('error', () => undefined);
    await once(idle, 'close');
    await server.logs(/dsync-server\(u1\): Error: .*no activity for 1 seconds/);
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
    const running = sync(place, `tcp:127.0.0.1:${relay.port}`);
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
    ['closes at once', (s: Socket): void => void s.end(), /closed the connection/],
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
    const outcome = await sync(place, `tcp:127.0.0.1:${server.port}`, { more: ['--connect-timeout', '1'] });
    server.close();
    expect(outcome).toMatchObject({ stdout: '', stderr: expect.stringMatching(message) });
    expect([64, 75]).toContain(outcome.status);
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
