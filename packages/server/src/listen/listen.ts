/** Listening sockets: what they need of the system, and nothing of what is said on them. */
import { existsSync } from 'node:fs';
import { lstat, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { getSystemErrorMap } from 'node:util';

import { SettingsError, type Settings, type TlsSettings } from '@dsync/settings';

import { printAddress, type ListenAddress } from './address.ts';
import { secureContext } from './secure-context.ts';
import { Strangers } from './strangers.ts';

/** A connection as a listener hands it over: encrypted already, where it is a TLS listener. */
export interface Incoming {
  readonly socket: Socket | TLSSocket;
  readonly address: string;
  readonly trusted: boolean;
  readonly encrypted: boolean;
}

/** An open listener. */
export interface Listener {
  /** As a client would write it, with the port that is really used. */
  readonly name: string;
  /** Stops accepting; connections stay. */
  close(): Promise<void>;
  /** Takes over new certificates. */
  reload(settings: Settings): void;
}

/** Milliseconds that a stranger may take for the TLS handshake. */
const TLS_HANDSHAKE_MS = 10_000;

/**
 * Opens one listener.
 * @param onIncoming called for each connection; must not throw
 * @param onReject called with a line for a connection that never got so far
 * @throws {SettingsError} `BadValue` where TLS is asked for without a certificate that can be used, or a socket where no
 * folder is; {ListenError}
 */
export async function openListener(
  address: ListenAddress,
  settings: Settings,
  onIncoming: (incoming: Incoming) => void,
  onReject: (text: string) => void,
): Promise<Listener> {
  if (address.kind === 'unix') return await openUnix(address.path, onIncoming);
  const encrypted = address.kind === 'tcps';
  const take = (socket: Socket): void => {
    socket.setNoDelay(true);
    onIncoming({ socket, address: socket.remoteAddress ?? 'unknown', trusted: false, encrypted });
  };
  const tls = encrypted ? encrypting(settings.tls, take, onReject) : null;
  const server = createServer(tls === null ? take : tls.take);
  const wanted = address.port ?? settings.doveadmPort;
  const port = await listening(server, printAddress(address.kind, address.host, wanted), () =>
    server.listen({ host: address.host, port: wanted }),
  );
  return {
    name: printAddress(address.kind, address.host, port),
    close: () => closeServer(server),
    reload: (fresh) => tls?.reload(fresh.tls),
  };
}

/** What a listener does with its connections before anything is said on them. */
interface Encrypting {
  readonly take: (raw: Socket) => void;
  readonly reload: (tls: TlsSettings) => void;
}

/** TLS from the first byte. Whoever begins a handshake and does not end it is a stranger as well, and there can be as many. */
function encrypting(
  tls: TlsSettings,
  onEncrypted: (socket: TLSSocket) => void,
  onReject: (text: string) => void,
): Encrypting {
  const handshakes = new Strangers<string>();
  const server = createTlsServer({ ...tlsOptions(tls), handshakeTimeout: TLS_HANDSHAKE_MS }, (socket) => {
    handshakes.delete(peerOf(socket));
    onEncrypted(socket);
  });
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    onReject(`TLS handshake with ${socket.remoteAddress ?? 'a client that left'} failed: ${error.message}`);
    socket.destroy();
  });
  return {
    take: (raw) => {
      const peer = peerOf(raw);
      const address = raw.remoteAddress ?? 'unknown';
      const reason = handshakes.refusal(address);
      if (reason !== null) {
        onReject(`connection from ${address} refused: ${reason}`);
        raw.destroy();
        return;
      }
      handshakes.add(peer, address);
      raw.once('close', () => handshakes.delete(peer));
      server.emit('connection', raw);
    },
    reload: (fresh) => server.setSecureContext(tlsOptions(fresh)),
  };
}

/** A name that a connection has for itself as long as it is open. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * What a TLS server needs.
 * @throws {SettingsError} `BadValue`
 */
export function tlsOptions(tls: TlsSettings): SecureContextOptions {
  if (tls.enabled && tls.unreadable !== undefined) throw tls.unreadable;
  if (!tls.enabled || tls.cert === undefined || tls.key === undefined) {
    throw new SettingsError(
      'BadValue',
      tls.enabled ? 'a TLS listener needs ssl_cert and ssl_key' : 'a TLS listener is asked for, but ssl = no',
    );
  }
  const options = {
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion,
    ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword }),
  };
  secureContext(options, 'ssl_cert and ssl_key');
  return options;
}

/** An address that cannot be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: string;
  readonly exit: number;

  constructor(where: string, cause: NodeJS.ErrnoException) {
    const why = cause.errno === undefined ? undefined : getSystemErrorMap().get(cause.errno)?.[1];
    super(`cannot listen on ${where}: ${why ?? cause.message}`, { cause });
    this.code = cause.code ?? 'Listen';
    this.exit = LISTEN_EXITS[this.code] ?? 78;
  }
}

const LISTEN_EXITS: Readonly<Record<string, number>> = { EADDRINUSE: 75, EACCES: 77, EPERM: 77 };

async function listening(server: Server, where: string, listen: () => void): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void => reject(new ListenError(where, cause));
    server.once('error', fail);
    server.once('listening', () => {
      server.off('error', fail);
      resolve();
    });
    listen();
  });
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // `close` waits for connections, which have their own ends; only the listening must stop here.
    resolve();
  });
}

/** A UNIX socket that its owner alone can open, and whose peers therefore need no password. */
async function openUnix(path: string, onIncoming: (incoming: Incoming) => void): Promise<Listener> {
  // The system would call it a permission that is missing.
  if (!existsSync(dirname(path)))
    throw new SettingsError('BadValue', `unix:${path}: there is no folder ${dirname(path)}`);
  await removeStale(path);
  let trusted = false;
  const server = createServer((socket) => onIncoming({ socket, address: 'unix', trusted, encrypted: true }));
  const mask = process.umask(0o177);
  try {
    await listening(server, `unix:${path}`, () => server.listen(path));
  } finally {
    process.umask(mask);
  }
  trusted = ((await stat(path)).mode & 0o777) === 0o600;
  return { name: `unix:${path}`, close: () => closeServer(server), reload: () => undefined };
}

/** Takes away a socket that nobody listens on any more. */
async function removeStale(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there === null || !there.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (!alive) await unlink(path);
}
