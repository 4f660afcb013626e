/**
 * The programs that are compared. Each gets a source of its own (a copy, so that what one leaves behind helps no other)
 * and a destination of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { type Dovecot, startDovecot } from '../tests/peers/rig/dovecot.ts';
import { freePorts } from '../tests/peers/rig/ports.ts';
import { endProcess, mustRun, untilAccepting } from '../tests/peers/rig/processes.ts';
import { peakMemory } from './measure.ts';

/** A program with a source and a destination of its own, ready to be started. */
export interface Tool extends AsyncDisposable {
  readonly name: string;
  /** The Maildir that this tool reads. */
  readonly source: string;
  readonly destination: string;
  /** What a user would type to bring the destination up to date. */
  readonly command: readonly string[];
  /** Peak memory in MB of the other process, where there is one of ours. */
  readonly serverPeakMb: () => number;
}

const BIN = join(import.meta.dirname, '../node_modules/.bin');
const nothingToEnd = (): Promise<void> => Promise.resolve();

const copyTree = async (from: string, to: string): Promise<void> => {
  await mustRun('mkdir', ['-p', to]);
  await mustRun('cp', ['-a', `${from}/.`, to]);
};

const ours = (
  name: string,
  source: string,
  destination: string,
  target: string,
): Omit<Tool, keyof AsyncDisposable> => ({
  name,
  source,
  destination,
  command: [
    ...[join(BIN, 'dsync'), '-o', `mail_location=maildir:${source}`, '-o', 'doveadm_password=secret'],
    ...['sync', '-u', 'u', target],
  ],
  serverPeakMb: () => 0,
});

/** dsync with both Maildirs in one process. */
export const oursLocal = async (folder: string, model: string): Promise<Tool> => {
  const destination = join(folder, 'ours-local/destination');
  const source = join(folder, 'ours-local/source');
  await copyTree(model, source);
  return {
    ...ours('dsync, local', source, destination, `maildir:${destination}`),
    [Symbol.asyncDispose]: nothingToEnd,
  };
};

interface OurServer extends AsyncDisposable {
  readonly port: number;
  readonly peakMb: () => number;
}

const startOurServer = async (destination: string): Promise<OurServer> => {
  const [port = 0] = await freePorts(1);
  const settings = ['-o', `mail_location=maildir:${destination}`, '-o', 'doveadm_password=secret'];
  const child: ChildProcess = spawn(join(BIN, 'dsync-server'), [...settings, '--listen', `tcp:127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await untilAccepting(port, child, () => Promise.resolve('dsync-server did not start'));
  return { port, peakMb: () => peakMemory(child.pid ?? 0), [Symbol.asyncDispose]: () => endProcess(child) };
};

/** dsync and dsync-server. */
export const oursTcp = async (folder: string, model: string): Promise<Tool> => {
  const destination = join(folder, 'ours-tcp/destination');
  const source = join(folder, 'ours-tcp/source');
  await copyTree(model, source);
  const server = await startOurServer(destination);
  return {
    ...ours('dsync, tcp', source, destination, `tcp:127.0.0.1:${server.port}`),
    serverPeakMb: server.peakMb,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

/** Whether real Dovecots can be started here. */
export const canUseDovecot = (): boolean => existsSync('/usr/sbin/dovecot') && process.getuid?.() === 0;

/**
 * The Maildir as a Dovecot that serves it leaves it, with uidlists and index files: what every tool finds on a real server.
 * Without a Dovecot, the Maildir itself.
 */
export const served = async (folder: string, model: string): Promise<string> => {
  if (!canUseDovecot()) return model;
  const dovecot = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  const source = await withModel(dovecot, model);
  await dovecot.leave();
  await mustRun('chown', ['-R', 'root:root', source]);
  return source;
};

const withModel = async (dovecot: Dovecot, model: string): Promise<string> => {
  const source = join(dovecot.home('u'), 'Maildir');
  await copyTree(model, source);
  await mustRun('chown', ['-R', `${dovecot.mailUid}:${dovecot.mailGid}`, source]);
  // A server in use has its index files: they are made before the measurement.
  await dovecot.doveadm(['index', '-u', 'u', '*']);
  await dovecot.doveadm(['fetch', '-u', 'u', 'guid', 'ALL']);
  return source;
};

/** doveadm and a Dovecot 2.3 of its own at each end. */
export const doveadmTcp = async (folder: string, model: string): Promise<Tool> => {
  const near = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  const far = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  return {
    name: 'doveadm, tcp',
    source: await withModel(near, model),
    destination: join(far.home('u'), 'Maildir'),
    command: near.doveadmCommand(['sync', '-u', 'u', `tcp:127.0.0.1:${far.doveadmPort}`]),
    serverPeakMb: () => 0,
    [Symbol.asyncDispose]: async () => {
      await near.leave();
      await far.leave();
    },
  };
};

/** Our client, a Dovecot's server: the Dovecot writes. */
export const oursToDovecot = async (folder: string, model: string): Promise<Tool> => {
  const far = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  const source = join(folder, 'ours-dovecot/source');
  await copyTree(model, source);
  const destination = join(far.home('u'), 'Maildir');
  return {
    ...ours('dsync to a Dovecot, tcp', source, destination, `tcp:127.0.0.1:${far.doveadmPort}`),
    [Symbol.asyncDispose]: () => far.leave(),
  };
};

/** A Dovecot's client, our server: we write. */
export const doveadmToOurs = async (folder: string, model: string): Promise<Tool> => {
  const near = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  const destination = join(folder, 'dovecot-ours/destination');
  const server = await startOurServer(destination);
  return {
    name: 'doveadm to dsync-server, tcp',
    source: await withModel(near, model),
    destination,
    command: near.doveadmCommand(['sync', '-u', 'u', `tcp:127.0.0.1:${server.port}`]),
    serverPeakMb: server.peakMb,
    [Symbol.asyncDispose]: async () => {
      await near.leave();
      await server[Symbol.asyncDispose]();
    },
  };
};

/** doveadm with both Maildirs in one process. */
export const doveadmLocal = async (folder: string, model: string): Promise<Tool> => {
  const dovecot = await startDovecot({ version: '2.3', users: ['u'], parent: folder });
  const destination = join(dovecot.home('u'), 'Copy');
  return {
    name: 'doveadm, local',
    source: await withModel(dovecot, model),
    destination,
    command: dovecot.doveadmCommand(['sync', '-u', 'u', `maildir:${destination}`]),
    serverPeakMb: () => 0,
    [Symbol.asyncDispose]: () => dovecot.leave(),
  };
};

/** A plain copy below `folder`, by a command that both paths are given to. */
const plainCopy = async (
  folder: string,
  model: string,
  name: string,
  command: (source: string, destination: string) => readonly string[],
): Promise<Tool> => {
  const source = join(folder, 'source');
  const destination = join(folder, 'destination');
  await copyTree(model, source);
  return {
    ...{ name, source, destination, serverPeakMb: () => 0 },
    command: command(source, destination),
    [Symbol.asyncDispose]: nothingToEnd,
  };
};

/** Makes each file durable before the next. */
export const rsync = (folder: string, model: string): Promise<Tool> =>
  plainCopy(join(folder, 'rsync'), model, 'rsync -a --fsync', (source, destination) => [
    'rsync',
    ...['-a', '--fsync', `${source}/`, destination],
  ]);

/** A single flush at the end. */
export const cp = (folder: string, model: string): Promise<Tool> =>
  plainCopy(join(folder, 'cp'), model, 'cp -a && sync -f', (source, destination) => [
    'sh',
    ...['-c', `cp -a '${source}' '${destination}' && sync -f '${destination}'`],
  ]);
