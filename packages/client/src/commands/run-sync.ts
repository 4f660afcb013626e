/** `dsync sync` and `dsync backup`. */
import { monotonicMs, oneLine, openChannel } from '@dsync/protocol';
import { describeError, hostName, openRawlog, openUserStore, type Log } from '@dsync/server';
import { resolveUser, type OptionValues, type Settings } from '@dsync/settings';
import { masterHandshake, runMaster, type SyncObserver, type SyncReport } from '@dsync/sync';

import { parseDestination } from '../command-line/destination.ts';
import { resolveSpecialUses } from '../command-line/special-use.ts';
import { buildRequest, type SyncRequest } from '../command-line/sync-request.ts';
import { printMailOperation, printPlan, printTreeOperation } from '../report/plan.ts';
import { Progress } from '../report/progress.ts';
import { printJson, resultOf, resultOfError, stateWarning, type Result, type RunFacts } from '../report/result.ts';
import { printSummary } from '../report/summary.ts';
import { warnOnce } from '../report/warn-once.ts';
import type { Connection } from '../transports/connection.ts';
import { openConnection } from '../transports/open.ts';
import { Interruption } from './interruption.ts';

/** `sync` or `backup` with its words, for one or more users. */
export interface SyncCommand {
  readonly command: 'sync' | 'backup';
  readonly options: OptionValues;
  readonly rest: readonly string[];
  readonly settings: Settings;
  readonly log: Log;
}

/**
 * Runs the command and prints its result.
 * @returns the exit status
 * @throws {UsageError} … before the run; a run's own failure is printed and returned
 */
export async function runSync(command: SyncCommand): Promise<number> {
  const { settings } = command;
  const request = buildRequest(command.options, command.rest, {
    command: command.command,
    settings,
    now: Date.now(),
    environmentUser: process.env['USER'],
  });
  const warnings: string[] = [];
  const userLog = command.log.of(request.user);
  const log = warnOnce(userLog, (text) => warnings.push(text));
  using interruption = new Interruption();
  if (request.stateError !== null) log.error(stateWarning(request.stateError));
  const started = monotonicMs();
  const facts = (separator: string): RunFacts => ({
    request,
    separator,
    durationMs: Math.round(monotonicMs() - started),
  });
  try {
    const { report, separator } = await run(request, settings, log, interruption);
    const result = resultOf(report, facts(separator), warnings);
    printResult(result, request, separator);
    for (const text of report.warnings) log.warning(text);
    if (report.unexpected.length > 0) {
      log.warning(
        `Mailbox changes caused a desync. You may want to run dsync again: ${[...new Set(report.unexpected)].join('; ')}`,
      );
    }
    return result.exitCode;
  } catch (error) {
    const described = describeError(interruption.error ?? error);
    userLog.error(described.message);
    if (error instanceof Error) log.debug(error.stack ?? '');
    if (request.json) process.stdout.write(printJson(resultOfError(described, facts('/'), warnings)));
    else if (request.printState) process.stdout.write('\n');
    return described.exit;
  }
}

async function run(
  request: SyncRequest,
  settings: Settings,
  log: Log,
  interruption: Interruption,
): Promise<{ readonly report: SyncReport; readonly separator: string }> {
  const user = resolveUser(settings, request.user, (text) => log.debug(text));
  const destination = parseDestination(request.destination);
  const open = {
    fsync: request.fsync ?? settings.fsync,
    dryRun: request.options.dryRun,
    isBackedUp: request.options.mode === 'backup' && !request.options.reverse,
    warn: (text: string): void => log.warning(text),
  };
  // The other side starts while our own store is opened: most of a short run is start-up.
  const opening = openUserStore(user, open);
  const separator = async (): Promise<string> => (await opening).separator;
  const connecting = openConnection(destination, { request, settings, user, separator, log });
  const [opened, connected] = await Promise.allSettled([opening, connecting]);
  if (opened.status === 'rejected') {
    if (connected.status === 'fulfilled') await drop(connected.value);
    throw opened.reason;
  }
  if (connected.status === 'rejected') {
    await opened.value[Symbol.asyncDispose]();
    throw connected.reason;
  }
  await using store = opened.value;
  const connection = connected.value;
  interruption.cuts(connection.carrier);
  let report: SyncReport;
  try {
    const selection = await resolveSpecialUses(request.options.selection, user.namespaces, store);
    const resolved = { ...request, options: { ...request.options, selection } };
    report = await converse(resolved, settings, store, connection, log);
  } catch (error) {
    throw await worse(error, connection);
  }
  const end = await connection.close();
  if (end !== null && end !== '') log.warning(end);
  return { report, separator: store.separator };
}

/** Ends a connection that is of no use any more; how it ends does not matter. */
async function drop(connection: Connection): Promise<void> {
  connection.carrier.destroy();
  await connection.close().catch(() => null);
}

/** A failure together with how the remote command ended, as one line. */
class RemoteEnd extends Error {
  override readonly name = 'RemoteEnd';
  readonly code: string;
  readonly exit: number;

  constructor(cause: unknown, end: string) {
    const { message, code, exit } = describeError(cause);
    super(`${message} (${end})`, { cause });
    this.code = code;
    this.exit = exit;
  }
}

/** Both ends' reasons may be known; one that is no answer to the other and says more than "temporary" is the better one. */
async function worse(error: unknown, connection: Connection): Promise<unknown> {
  if (!connection.carrier.destroyed) connection.carrier.destroy();
  try {
    const end = await connection.close();
    return end === null || end === '' ? error : new RemoteEnd(error, end);
  } catch (theirs) {
    if (isAnswer(theirs)) return error;
    return isAnswer(error) || describeError(error).exit === 75 ? theirs : error;
  }
}

/** Whether it only tells of what has happened to the other side. */
function isAnswer(error: unknown): boolean {
  const { code } = describeError(error);
  return code === 'PeerFailed' || code === 'Closed';
}

async function converse(
  request: SyncRequest,
  settings: Settings,
  store: Parameters<typeof runMaster>[0],
  connection: Connection,
  log: Log,
): Promise<SyncReport> {
  const hostname = settings.hostname ?? hostName();
  using rawlog = request.rawlog === null ? null : openRawlog(request.rawlog);
  using progress = progressOf(request);
  await using channel = await openChannel(connection.carrier, {
    role: 'master',
    handshake: masterHandshake(request.options, hostname),
    compress: connection.distant,
    stallTimeoutMs: request.options.stallTimeout * 1000,
    ...(request.dialect === 'auto' ? {} : { dialect: request.dialect }),
    ...(rawlog === null ? {} : { rawlog }),
  });
  log.debug(`peer ${oneLine(channel.peer.hostname)} speaks the ${channel.peer.dialect} dialect`);
  const observer = observe(log, store.separator, progress);
  return await runMaster(store, channel, request.options, observer, hostname, settings.maxKeywordLength);
}

function progressOf(request: SyncRequest): Progress | null {
  if (request.progress === 'never' || (request.progress === 'auto' && !process.stderr.isTTY)) return null;
  return new Progress(process.stderr, request.progress === 'always');
}

/** With `-v` each operation is a line, with the rule that made it. */
function observe(log: Log, separator: string, progress: Progress | null): SyncObserver {
  const verbose = log.level === 'info' || log.level === 'debug';
  return {
    ...progress?.observer,
    warning: (text) => log.warning(text),
    debug: (text) => log.debug(text),
    ...(verbose
      ? {
          treeOperation: (side, operation) => log.info(`${side}: ${printTreeOperation(operation, separator)}`),
          mailOperation: (side, path, operation) =>
            log.info(`${side}: ${oneLine(path.join(separator))}: ${printMailOperation(operation)}`),
        }
      : {}),
  };
}

function printResult(result: Result, request: SyncRequest, separator: string): void {
  if (request.json) process.stdout.write(printJson(result));
  else if (result.plan !== undefined) process.stdout.write(printPlan(result.plan, separator));
  else if (request.printState) process.stdout.write(`${result.state}\n`);
  else process.stdout.write(printSummary(result));
}
