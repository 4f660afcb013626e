/** `tcp:` and `tcps:`: a doveadm server. */
import { existsSync, readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

import type { TlsSettings } from '@dsync/settings';

import { TransportError, type Connection } from './connection.ts';
import { openSession, type LoginOptions } from './doveadm-login.ts';

export interface TcpOptions extends LoginOptions {
  readonly host: string;
  readonly port: number;
  /** Null: clear text. */
  readonly tls: TlsSettings | null;
}

/** Milliseconds that the server gets to close after the session. */
const LINGER_MS = 2_000;

/**
 * Connects, proves the server's name with `tcps:`, logs in and starts the session.
 * @throws {TransportError} 68 for a host that does not exist, 75 for a connection that fails; see `openSession`
 */
export async function connectTcp(options: TcpOptions): Promise<Connection> {
  const socket = await connected(options);
  try {
    const carrier = await openSession(socket, options);
    return { carrier, distant: !isLoopback(socket.remoteAddress ?? ''), close: () => closeSocket(socket) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connected(options: TcpOptions): Promise<Socket | TLSSocket> {
  const { host, port, tls } = options;
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = tls === null ? connect({ host, port }) : connectTls({ host, port, ...trust(tls, host) });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () =>
        fail(
          new TransportError(
            'ConnectTimeout',
            `connect(${where}) failed: no answer within ${options.timeoutMs / 1000} s`,
            75,
          ),
        ),
      options.timeoutMs,
    );
    socket.once('error', (cause: Error) => fail(connectError(where, cause)));
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      // Reported by whoever reads or writes.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function connectError(where: string, cause: Error): TransportError {
  const code = 'code' in cause ? String(cause.code) : 'Connect';
  return new TransportError(code, `connect(${where}) failed: ${cause.message}`, code === 'ENOTFOUND' ? 68 : 75, {
    cause,
  });
}

/** The server's certificate must come from a known authority and carry its name; nothing below TLS 1.2 is spoken. */
function trust(tls: TlsSettings, host: string): ConnectionOptions {
  const ca = tls.clientCa ?? systemAuthorities();
  return {
    rejectUnauthorized: true,
    minVersion: tls.minVersion,
    ...(ca === undefined ? {} : { ca }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(tls.clientCert === undefined || tls.clientKey === undefined
      ? {}
      : { cert: tls.clientCert, key: tls.clientKey }),
  };
}

const SYSTEM_FILES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** The machine's authorities; without such a file those that Node brings. */
function systemAuthorities(): string | undefined {
  const file = [process.env['SSL_CERT_FILE'], ...SYSTEM_FILES].find((name) => name !== undefined && existsSync(name));
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
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
