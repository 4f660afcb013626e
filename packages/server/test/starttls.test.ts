import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { makeCertificates, writeCertificates, type DevelopmentCertificates } from '../../../certs/make-certificates.ts';
import { plain, PASSWORD, RawClient, startDaemon, type Rig } from './rig.ts';

const VERSION = 'VERSION\tdoveadm-server\t1\t2\n';
const GREETING = 'VERSION\tdoveadm-client\t1\t4\n-\n';
const COMMAND = '\tu1\tdsync-server\t-uu1\n';

let certificates: DevelopmentCertificates;
let folder: string;
beforeAll(() => {
  certificates = makeCertificates();
  folder = mkdtempSync(join(tmpdir(), 'dsync-starttls-'));
  writeCertificates(folder, certificates);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (listen = 'tcp:127.0.0.1:0'): Promise<Rig> =>
  startDaemon(listen, [`ssl_cert=<${folder}/server.crt`, `ssl_key=<${folder}/server.key`]);

/** TLS over a connection whose first bytes go out together with these, in one packet. */
const encrypted = (socket: Socket, first: string): TLSSocket => {
  let before: Buffer = Buffer.from(first);
  const carrier = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(Buffer.concat([before, chunk]), () => done());
      before = Buffer.alloc(0);
    },
    final: (done) => {
      socket.end();
      done();
    },
  });
  socket.on('data', (chunk: Buffer) => carrier.push(chunk));
  socket.on('end', () => carrier.push(null));
  socket.on('close', () => carrier.destroy());
  return connectTls({ socket: carrier, ca: certificates.ca.certificate, servername: 'localhost' });
};

/** Up to the server's sign, in clear text. */
const greeted = async (port: number): Promise<Socket> => {
  const client = RawClient.to(port);
  client.say(VERSION);
  await client.hears(/-\n$/);
  client.socket.removeAllListeners('data');
  return client.socket;
};

test('a client need not wait before it encrypts', async () => {
  await using rig = await start();
  using client = new RawClient(encrypted(await greeted(rig.port), 'STARTTLS\n'));
  client.say(plain(PASSWORD));
  await client.hears(/^\+\n$/);
  client.say(COMMAND);
  await client.hears(/VERSION\tdsync\t3\t/);
});

test('what comes in clear text behind STARTTLS is never taken for a line', async () => {
  await using rig = await start();
  using client = RawClient.to(rig.port);
  client.say(`${VERSION}STARTTLS\n${plain(PASSWORD)}${COMMAND}`);
  const answer = await client.untilClosed();
  expect(answer.slice(0, GREETING.length)).toBe(GREETING);
  // At most an alert of TLS.
  expect(answer.slice(GREETING.length)).not.toMatch(/[+]|VERSION/);
});

test('a line in clear text before the encryption is not carried into it', async () => {
  await using rig = await start();
  using client = new RawClient(encrypted(await greeted(rig.port), `STARTTLS\n${plain(PASSWORD)}`));
  client.say(COMMAND);
  expect(await client.untilClosed()).toBe('');
});

test('once encrypted it cannot be asked for again', async () => {
  await using rig = await start();
  using client = new RawClient(encrypted(await greeted(rig.port), 'STARTTLS\n'));
  client.say(`STARTTLS\n`);
  expect(await client.untilClosed()).toBe('-\n');
});

test('a peer that goes away in the middle of it leaves the server to the others', async () => {
  await using rig = await start();
  for (const bytes of ['STARTTLS\n', 'STARTTLS\n\u0016\u0003\u0001']) {
    const socket = await greeted(rig.port);
    socket.write(bytes, () => socket.resetAndDestroy());
  }
  const wrong = new RawClient(encrypted(await greeted(rig.port), 'STARTTLS\n'));
  wrong.say(plain('wrong'));
  wrong.socket.once('secureConnect', () => wrong.socket.destroy());
  using client = new RawClient(connect({ host: '127.0.0.1', port: rig.port }));
  client.say(`${VERSION}${plain(PASSWORD)}${COMMAND}`);
  await client.hears(/VERSION\tdsync\t3\t/);
});

test('no more handshakes of TLS from one address than the limit, and again one when another has ended', async () => {
  await using rig = await start('tcps:127.0.0.1:0');
  const strangers = Array.from({ length: 16 }, () => RawClient.to(rig.port));
  await Promise.all(strangers.map(({ socket }) => once(socket, 'connect')));
  using late = RawClient.to(rig.port);
  expect(await late.untilClosed()).toBe('');
  // Not because the time for a handshake is over.
  expect(strangers.some(({ closed }) => closed)).toBe(false);
  strangers[0]?.socket.end();
  await strangers[0]?.untilClosed();
  using client = new RawClient(
    connectTls({ host: '127.0.0.1', port: rig.port, ca: certificates.ca.certificate, servername: 'localhost' }),
  );
  client.say(`${VERSION}${plain(PASSWORD)}${COMMAND}`);
  await client.hears(/VERSION\tdsync\t3\t/);
  for (const { socket } of strangers) socket.destroy();
});
