/** `tcp:`, `tcps:` and `unix:`: a doveadm server. */
import { existsSync, readFileSync } from 'node:fs';
import { connect, isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { secureContext } from '@dsync/server';
import type { DoveadmSsl, TlsSettings } from '@dsync/settings';

import { TransportError, type Connection } from './connection.ts';
import { openSession, type LoginOptions } from './doveadm-login.ts';

/** A doveadm server on the network. */
export interface TcpOptions extends LoginOptions {
  readonly host: string;
  readonly port: number;
  /** Clear text, TLS at once, or TLS after the server's greeting. */
  readonly encryption: DoveadmSsl;
  readonly tls: TlsSettings;
}

/** A doveadm server behind a socket at `path`. */
export interface UnixOptions extends LoginOptions {
  readonly path: string;
}

/** Milliseconds that the server gets to close after the session. */
const LINGER_MS = 2_000;

/**
 * Connects, proves the server's name where TLS is spoken, logs in and starts the session.
 * @throws {TransportError} 68 for a host that does not exist, 75 for a connection that fails; see `openSession`
 */
export async function connectTcp(options: TcpOptions): Promise<Connection> {
  const { host, port, encryption, tls, timeoutMs } = options;
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const socket =
    encryption === 'ssl'
      ? await established(connectTls({ host, port, ...trust(tls, host) }), 'secureConnect', where, timeoutMs)
      : await established(connect({ host, port }), 'connect', where, timeoutMs);
  const startTls = (): Promise<Socket> =>
    established(connectTls({ socket, ...trust(tls, host) }), 'secureConnect', where, timeoutMs);
  return await opened(socket, encryption === 'starttls' ? { ...options, startTls } : options);
}

/**
 * The same over a UNIX socket, whose folder decides who may come.
 * @throws {TransportError} as `connectTcp`
 */
export async function connectUnix(options: UnixOptions): Promise<Connection> {
  const socket = await established(connect({ path: options.path }), 'connect', options.path, options.timeoutMs);
  return await opened(socket, options);
}

async function opened(socket: Socket, options: LoginOptions): Promise<Connection> {
  // With STARTTLS the bytes go through another stream later, which closes this one with it.
  let wire = socket;
  const { startTls } = options;
  const upgrade = async (encrypt: () => Promise<Duplex>): Promise<Duplex> => {
    const stream = await encrypt();
    if (stream instanceof Socket) wire = stream;
    return stream;
  };
  try {
    const carrier = await openSession(socket, {
      ...options,
      ...(startTls === undefined ? {} : { startTls: () => upgrade(startTls) }),
    });
    return { carrier, distant: isDistant(socket), close: () => closeSocket(wire) };
  } catch (error) {
    wire.destroy();
    socket.destroy();
    throw error;
  }
}

/** Waits until a connection stands. @throws {TransportError} */
function established<S extends Socket | TLSSocket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  where: string,
  timeoutMs: number,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () =>
        fail(
          new TransportError('ConnectTimeout', `connect(${where}) failed: no answer within ${timeoutMs / 1000} s`, 75),
        ),
      timeoutMs,
    );
    socket.once('error', (cause: Error) => fail(connectError(where, event, cause)));
    socket.once(event, () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      // Reported by whoever reads or writes.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** The certificate, or one above it, comes from nobody who is known. */
const STRANGERS: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** What becomes of a TLS handshake with who speaks something else. */
const NO_TLS: ReadonlySet<string> = new Set(['ECONNRESET', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER']);

function connectError(where: string, event: 'connect' | 'secureConnect', cause: Error): TransportError {
  const code = 'code' in cause ? String(cause.code) : 'Connect';
  const hint = STRANGERS.has(code)
    ? '; an authority of one’s own is named with ssl_client_ca_file'
    : event === 'secureConnect' && NO_TLS.has(code)
      ? '; is that a port where TLS is spoken at once?'
      : '';
  return new TransportError(code, `connect(${where}) failed: ${cause.message}${hint}`, code === 'ENOTFOUND' ? 68 : 75, {
    cause,
  });
}

/** The server's certificate must come from a known authority and carry its name; nothing below TLS 1.2 is spoken. */
function trust(tls: TlsSettings, host: string): ConnectionOptions {
  const ca = tls.clientCa ?? systemAuthorities();
  return {
    rejectUnauthorized: true,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    secureContext: secureContext(
      {
        minVersion: tls.minVersion,
        ...(ca === undefined ? {} : { ca }),
        ...(tls.clientCert === undefined || tls.clientKey === undefined
          ? {}
          : { cert: tls.clientCert, key: tls.clientKey }),
      },
      'ssl_client_ca_file, ssl_client_cert or ssl_client_key',
    ),
  };
}

const SYSTEM_FILES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** The machine's authorities; without such a file those that Node brings. */
function systemAuthorities(): string | undefined {
  const file = [process.env['SSL_CERT_FILE'], ...SYSTEM_FILES].find((name) => name !== undefined && existsSync(name));
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}

/** A UNIX socket has no address. */
function isDistant(socket: Socket): boolean {
  const address = socket.remoteAddress ?? '::1';
  return !(address === '::1' || /^(::ffff:)?127\./.test(address));
}

function closeSocket(socket: Socket): Promise<null> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve(null);
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(null);
    });
    socket.resume();
    if (!socket.writableEnded) socket.end();
  });
}
