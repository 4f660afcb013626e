/** One session from the serving side: handshake, store, run. */
import { hostname as machineName } from 'node:os';
import type { Duplex } from 'node:stream';

import { openChannel, type Rawlog } from '@dsync/protocol';
import { resolveUser, type Settings } from '@dsync/settings';
import { runSlave, slaveHandshake, type SlaveReport, type SyncObserver } from '@dsync/sync';
import type { MailStore } from '@dsync/storage';

import type { Log } from '../log/log.ts';
import { openUserStore } from './open-user-store.ts';

export interface SessionOptions {
  readonly stallTimeoutMs: number;
  /** The peer is on this machine, so that compressing only costs. */
  readonly near: boolean;
  readonly rawlog?: Rawlog;
  readonly log: Log;
}

/**
 * Opens the mail of a user who may not exist.
 * @throws {SettingsError} `NoSuchUser`, …; {StoreError}
 */
export async function openMailOf(settings: Settings, user: string, log: Log): Promise<MailStore> {
  const found = resolveUser(settings, user, (text) => log.debug(text));
  return await openUserStore(found, { fsync: settings.fsync });
}

/**
 * Serves one run on `carrier`; both the carrier and the store are closed at its end.
 * @throws {ProtocolError} when the conversation fails; {StoreError} when the store does
 */
export async function serveSession(
  settings: Settings,
  store: MailStore,
  carrier: Duplex,
  options: SessionOptions,
): Promise<SlaveReport> {
  const { log } = options;
  await using owned = store;
  const hostname = settings.hostname ?? machineName();
  await using channel = await openChannel(carrier, {
    role: 'slave',
    handshake: slaveHandshake(hostname),
    compress: !options.near,
    stallTimeoutMs: options.stallTimeoutMs,
    ...(options.rawlog === undefined ? {} : { rawlog: options.rawlog }),
  });
  log.debug(`peer ${channel.peer.hostname} speaks the ${channel.peer.dialect} dialect`);
  const report = await runSlave(owned, channel, observerOf(log), hostname);
  for (const reason of report.unexpected) log.info(`run again: ${reason}`);
  return report;
}

/** What is worth a line of the log. */
export function observerOf(log: Log): SyncObserver {
  return {
    warning: (text) => log.warning(text),
    debug: (text) => log.debug(text),
  };
}
