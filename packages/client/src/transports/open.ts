/** From a destination to a connection. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

import { openLocation, type Log, type OpenWish } from '@dsync/server';
import {
  expandLocation,
  UsageError,
  type ExpandedLocation,
  type MailLocation,
  type MailUser,
  type Settings,
} from '@dsync/settings';

import type { MailStore } from '@dsync/storage';

import type { Destination } from '../command-line/destination.ts';
import type { SyncRequest } from '../command-line/sync-request.ts';
import type { Connection } from './connection.ts';
import type { LoginOptions } from './doveadm-login.ts';

/** What opening depends on besides the destination. */
export interface OpenContext {
  readonly request: SyncRequest;
  readonly settings: Settings;
  readonly user: MailUser;
  /** The hierarchy separator of the local store, which a second one in this process must have too. */
  readonly separator: () => Promise<string>;
  readonly log: Log;
}

/** @throws {TransportError} {UsageError} {SettingsError} {StoreError} {ProtocolError} */
export async function openConnection(destination: Destination, context: OpenContext): Promise<Connection> {
  const { request, settings, log } = context;
  const onLine = (line: string): void => log.passOn(line);
  switch (destination.kind) {
    case 'local':
      return await openLocal(destination.location, context);
    case 'command': {
      const { connectCommand } = await import('./command.ts');
      return await connectCommand(destination.argv, { onLine, distant: false });
    }
    case 'remote': {
      const { connectCommand } = await import('./command.ts');
      const { remoteCommand } = await import('./remote.ts');
      const user = destination.user ?? request.user;
      const argv = remoteCommand(settings.dsyncRemoteCommand, {
        user,
        login: destination.login,
        host: destination.host,
      });
      log.debug(`starting ${argv.join(' ')}`);
      return await connectCommand(argv, {
        onLine,
        distant: true,
        ...(destination.prefix ? { prefix: `${user}\n` } : {}),
      });
    }
    case 'tcp':
    case 'tcps': {
      const { connectTcp } = await import('./tcp.ts');
      return await connectTcp({
        ...loginOptions(context),
        host: destination.host,
        port: destination.port ?? settings.doveadmPort,
        encryption: destination.kind === 'tcps' ? 'ssl' : settings.doveadmSsl,
        tls: settings.tls,
      });
    }
    case 'unix': {
      const { connectUnix } = await import('./tcp.ts');
      return await connectUnix({ ...loginOptions(context), path: destination.path });
    }
    default:
      return destination satisfies never;
  }
}

function loginOptions({ request, settings, log }: OpenContext): LoginOptions {
  return {
    user: request.user,
    password: settings.doveadmPassword,
    debug: log.level === 'debug',
    verbose: log.level === 'info',
    timeoutMs: request.connectTimeoutMs,
    onLog: ({ level, text }) => log[level === 'fatal' || level === 'panic' ? 'error' : level](`remote: ${text}`),
  };
}

async function openLocal(location: MailLocation, context: OpenContext): Promise<Connection> {
  const { request, settings, user } = context;
  if (request.options.selection.allNamespaces) throw new UsageError('-N parameter requires syncing with remote host');
  const there = expandLocation(location, { user: user.name, home: user.home });
  const here = [user.location, ...user.namespaces.map((n) => n.location)];
  const same = here.find((own) => realPath(own.path) === realPath(there.path));
  if (same !== undefined) {
    throw new UsageError(`Both source and destination mail_location points to same directory: ${same.path}`);
  }
  const around = here.find((own) => isMailboxOf(own, there) || isMailboxOf(there, own));
  if (around !== undefined) throw new UsageError(`${there.path} and ${around.path} lie one in the other`);
  const fsync = request.fsync ?? settings.fsync;
  const openStore = async ({ dryRun, isBackedUp }: OpenWish): Promise<MailStore> =>
    await openLocation(there, {
      fsync,
      dryRun,
      isBackedUp,
      home: null,
      separator: await context.separator(),
      warn: (text) => context.log.warning(text),
    });
  const { connectLocal } = await import('./local.ts');
  return connectLocal(settings, openStore, request.options.stallTimeout * 1000, context.log);
}

/** Whether `inner` lies where `outer` would take it for one of its mailboxes. */
function isMailboxOf(outer: ExpandedLocation, inner: ExpandedLocation): boolean {
  const way = relative(realPath(outer.path), realPath(inner.path));
  if (way === '..' || way.startsWith('../')) return false;
  return outer.layout === 'fs' || way.startsWith('.');
}

/** The path without links, also if its last parts are not there yet. */
function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(realPath(parent), basename(whole));
  }
}
