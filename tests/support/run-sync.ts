/** One run between two stores in this process, through the engine and either dialect. */
import type { Duplex } from 'node:stream';

import { type Channel, createPipe, openChannel } from '@dsync/protocol';
import type { MailStore } from '@dsync/storage';
import {
  masterHandshake,
  parseSyncState,
  printSyncState,
  runMaster,
  runSlave,
  slaveHandshake,
  type SyncOptions,
  type SyncReport,
} from '@dsync/sync';

import type { AskedRun } from './options.ts';

/** How a run ended, as the starting side sees it. */
export interface RunResult {
  /** The status with which the program would end. */
  readonly exit: number;
  /** What `-s` would print; null: no `-s`. Empty: a full run is needed. */
  readonly state: string | null;
  readonly report: SyncReport | null;
  readonly error: unknown;
}

/** What a test may change about a run. */
export interface RunHooks {
  /** Puts something around the starting side's channel. */
  readonly wrap?: (channel: Channel) => Channel;
  /** The carrier; by default a pipe in memory. */
  readonly carrier?: () => readonly [Duplex, Duplex];
  readonly stallTimeoutMs?: number;
  /** What is offered; by default both, of which two of ours choose the native one. */
  readonly dialect?: 'native' | 'dovecot';
}

/** Runs once; both stores stay open. Never throws: a failure is in the result. */
export async function runSync(
  starting: MailStore,
  other: MailStore,
  asked: AskedRun,
  hooks: RunHooks = {},
): Promise<RunResult> {
  const options = withState(asked);
  const [near, far] = (hooks.carrier ?? createPipe)();
  const [master, slave] = await Promise.allSettled([
    startSide(starting, near, options, hooks),
    serveSide(other, far, hooks),
  ]);
  const result = resultFrom(asked, master);
  return result.error === null && slave.status === 'rejected' ? { ...result, error: slave.reason } : result;
}

/** How a run that was started has ended. */
export async function resultOf(asked: AskedRun, run: Promise<SyncReport>): Promise<RunResult> {
  const [settled] = await Promise.allSettled([run]);
  return resultFrom(asked, settled);
}

function resultFrom(asked: AskedRun, run: PromiseSettledResult<SyncReport>): RunResult {
  if (run.status === 'rejected')
    return { exit: exitOf(run.reason), state: asked.state === null ? null : '', report: null, error: run.reason };
  const report = run.value;
  return {
    exit: report.unexpected.length > 0 ? 2 : 0,
    state: asked.state === null ? null : report.state === null ? '' : printSyncState(report.state),
    report,
    error: null,
  };
}

/** The side that starts a run, over a carrier of one's own. */
export async function startSide(
  store: MailStore,
  carrier: Duplex,
  options: SyncOptions,
  hooks: RunHooks,
): Promise<SyncReport> {
  await using opened = await openChannel(carrier, {
    role: 'master',
    handshake: masterHandshake(options, HOST),
    stallTimeoutMs: hooks.stallTimeoutMs ?? STALL_MS,
    dialect: hooks.dialect ?? 'auto',
  });
  const channel = hooks.wrap?.(opened) ?? opened;
  return await runMaster(store, channel, options, {}, HOST);
}

async function serveSide(store: MailStore, carrier: Duplex, hooks: RunHooks): Promise<void> {
  await using channel = await openChannel(carrier, {
    role: 'slave',
    handshake: slaveHandshake(HOST),
    stallTimeoutMs: hooks.stallTimeoutMs ?? STALL_MS,
    dialect: hooks.dialect ?? 'auto',
  });
  await runSlave(store, channel, {}, HOST);
}

const HOST = 'test.example.com';
/** Longer than any run here takes; a run that hangs fails its test. */
const STALL_MS = 20_000;

/** As the command line does it: a state that cannot be read means a full run. */
export function withState(asked: AskedRun): SyncOptions {
  const { options, state } = asked;
  if (state === null || state === '') return options;
  const parsed = parseSyncState(state);
  if (!parsed.ok) return { ...options, algorithm: 'full' };
  return { ...options, algorithm: options.algorithm === 'full' ? 'full' : 'state', state: parsed.state };
}

function exitOf(error: unknown): number {
  return error instanceof Error && 'exit' in error && typeof error.exit === 'number' ? error.exit : 75;
}
