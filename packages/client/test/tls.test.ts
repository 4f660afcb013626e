/** Runs over TLS, from the first byte or after STARTTLS: whom the client believes, and what it does otherwise. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { makeCertificates, writeCertificates } from '../../../certs/make-certificates.ts';
import { Place, Server, type Outcome } from './programs.ts';

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

/** A run that trusts this authority. */
function sync(
  place: Place,
  destination: string,
  { ca, more = [] }: { readonly ca?: CertKind; readonly more?: readonly string[] } = {},
): Promise<Outcome> {
  return place.syncOver(destination, {
    more: [...(ca === undefined ? [] : ['-o', `ssl_client_ca_file=${file(ca, 'ca.crt')}`]), ...more],
  });
}

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
