/** One session from the serving side: handshake, store, run. */
import type { Duplex } from 'node:stream';

import { oneLine, openChannel, type Channel, type Rawlog } from '@dsync/protocol';
import { resolveUser, type Settings } from '@dsync/settings';
import { runSlave, slaveHandshake, type SlaveReport, type SyncObserver } from '@dsync/sync';
import { StoreError, type MailStore } from '@dsync/storage';

import type { Log, LogLevel } from '../log/log.ts';
import { hostName } from './host-name.ts';
import { checkAccess, openUserStore } from './open-user-store.ts';

/** How a session is served. It ends when nothing has come for `stallTimeoutMs`. */
export interface SessionOptions {
  readonly stallTimeoutMs: number;
  /** The peer is on this machine, so that compressing only costs. */
  readonly near: boolean;
  readonly rawlog?: Rawlog;
  readonly log: Log;
  /** Shows a line to a peer whose dialect has no place for it. */
  readonly tellPeer?: (level: LogLevel, text: string) => void;
}

/** What the peer's handshake says of how the store is to be opened. */
export interface OpenWish {
  /** Nothing may be changed, so nothing is made. */
  readonly dryRun: boolean;
  /** The peer does not want to wait for our disk. */
  readonly noFsync: boolean;
  /** It is the source of a backup. */
  readonly isBackedUp: boolean;
}

/** Opens a user's mail once the handshake has said what for. @throws {StoreError} */
export type OpenStore = (wish: OpenWish) => Promise<MailStore>;

/**
 * Finds the mail of a user who may not exist; it is opened when the peer has said what for.
 * @throws {SettingsError} `NoSuchUser`, …; {StoreError} `Permission` for mail that we cannot use
 */
export function findMailOf(settings: Settings, user: string, log: Log): OpenStore {
  const found = resolveUser(settings, user, (text) => log.debug(text));
  for (const { location } of found.namespaces) checkAccess(location);
  const warn = (text: string): void => log.warning(text);
  return async ({ dryRun, noFsync, isBackedUp }) => {
    return await openUserStore(found, { fsync: settings.fsync && !noFsync, dryRun, isBackedUp, warn });
  };
}

/**
 * Serves one run on `carrier`; the carrier, and the store that is opened for it, are closed at its end.
 * @throws {ProtocolError} when the conversation fails; {StoreError} when the store does
 */
export async function serveSession(
  settings: Settings,
  openStore: OpenStore,
  carrier: Duplex,
  options: SessionOptions,
): Promise<SlaveReport> {
  const { log, tellPeer } = options;
  const hostname = settings.hostname ?? hostName();
  await using channel = await openChannel(carrier, {
    role: 'slave',
    handshake: slaveHandshake(hostname),
    compress: !options.near,
    stallTimeoutMs: options.stallTimeoutMs,
    ...(options.rawlog === undefined ? {} : { rawlog: options.rawlog }),
    ...(tellPeer === undefined ? {} : { tellReason: (reason: string) => tellPeer('error', reason) }),
  });
  const tell: SessionOptions['tellPeer'] = channel.peer.dialect === 'dovecot' ? tellPeer : undefined;
  const both = (level: LogLevel, text: string): void => {
    log[level](text);
    tell?.(level, text);
  };
  both('debug', `peer ${oneLine(channel.peer.hostname)} speaks the ${channel.peer.dialect} dialect`);
  await using store = await openOr(channel, openStore);
  const observer: SyncObserver = { warning: (text) => both('warning', text), debug: (text) => both('debug', text) };
  const report = await runSlave(store, channel, observer, hostname, settings.maxKeywordLength);
  for (const reason of report.unexpected) log.info(`run again: ${reason}`);
  return report;
}

/** A store that cannot be opened ends the session, and the peer is told so; the reason stays here. */
async function openOr(channel: Channel, openStore: OpenStore): Promise<MailStore> {
  const { handshake } = channel;
  try {
    return await openStore({
      dryRun: handshake.dryRun === true,
      noFsync: handshake.noFsync === true,
      isBackedUp: handshake.backupSend === true && handshake.noBackupOverwrite !== true,
    });
  } catch (error) {
    await channel.abort(
      error instanceof StoreError ? `the mail cannot be opened (${error.code})` : 'the mail cannot be opened',
    );
    throw error;
  }
}
