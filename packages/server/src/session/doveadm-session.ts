/** What follows a login: the command, its reply, the session in packets. */
import { joinStreams, printLogLine, printReply, type DoveadmReplyWord, type RemoteLogLevel } from '@dsync/protocol';
import { parseOptions, UsageError, type OptionSpec, type Settings } from '@dsync/settings';

import { MAX_REMOTE_LOG_LINES, STALL_TIMEOUT_MS } from '../limits.ts';
import { describeError } from '../log/describe-error.ts';
import type { Log } from '../log/log.ts';
import type { LoggedIn } from '../login/accept-login.ts';
import { findMailOf, serveSession, type OpenStore } from './serve-session.ts';

/** Arguments of `dsync-server` in a command line from the network. A peer cannot name files of ours, so `-r` is not among them. */
const ARGUMENTS: readonly OptionSpec[] = [
  { long: 'user', short: 'u', value: 'USER', help: '' },
  { long: 'timeout', short: 'T', value: 'SECONDS', help: '' },
  { long: 'replicator-notify', short: 'U', help: '' },
  { long: 'legacy-dsync', short: 'E', help: '' },
];

const WORD_OF_EXIT: Readonly<Record<number, DoveadmReplyWord>> = {
  64: 'USAGE',
  65: 'DATAERR',
  67: 'NOUSER',
  68: 'NOTFOUND',
  77: 'NOPERM',
};

/** `null`: success. */
function replyBytes({ channels }: LoggedIn, failure: DoveadmReplyWord | null): Buffer {
  return Buffer.concat(channels.main([Buffer.from(printReply(failure))]));
}

type RemoteLog = (level: RemoteLogLevel, text: string) => void;

/** What a peer sees that asks for no more. */
const QUIET = { error: true, warning: true, info: false, debug: false } as const;

interface Request {
  readonly user: string;
  readonly stallTimeoutMs: number;
}

/** Runs one command; never throws. Failures are logged, and said to the peer without what only we may know. */
export async function serveCommand(settings: Settings, login: LoggedIn, log: Log): Promise<void> {
  const { stream, channels } = login;
  const remoteLog = remoteLogOf(login);
  try {
    const request = parseRequest(login);
    const userLog = log.of(request.user);
    const openStore = findMailOf(settings, request.user, userLog);
    const carrier = joinStreams(stream, stream, {
      first: login.rest,
      encode: (chunks) => channels.main(chunks),
    });
    stream.write(replyBytes(login, null));
    await runLogged(settings, openStore, carrier, login, request, { log: userLog, remoteLog });
  } catch (error) {
    const described = describeError(error);
    const user = login.command.user === '' ? log : log.of(login.command.user);
    user.error(described.message);
    remoteLog(
      'error',
      described.exit === 67 || described.exit === 64
        ? described.message
        : `the mail cannot be opened (${described.code})`,
    );
    const word = WORD_OF_EXIT[described.exit] ?? 'TEMPFAIL';
    if (!stream.destroyed) stream.end(replyBytes(login, word));
  }
}

/** Sends a peer away that can be served later. */
export function putOff(login: LoggedIn, log: Log, reason: string): void {
  log.of(login.command.user).warning(`session refused: ${reason}`);
  remoteLogOf(login)('error', `session refused: ${reason}`);
  login.stream.end(replyBytes(login, 'TEMPFAIL'));
}

/** A run's failure is told to the peer by the engine, inside the session; here it is only logged. */
async function runLogged(
  settings: Settings,
  openStore: OpenStore,
  carrier: Parameters<typeof serveSession>[2],
  login: LoggedIn,
  request: Request,
  { log, remoteLog }: { readonly log: Log; readonly remoteLog: RemoteLog },
): Promise<void> {
  const isWanted = { ...QUIET, info: login.command.verbose, debug: login.command.debug };
  try {
    await serveSession(settings, openStore, carrier, {
      stallTimeoutMs: request.stallTimeoutMs,
      near: login.near,
      log,
      tellPeer: (level, text) => {
        if (isWanted[level]) remoteLog(level, text);
      },
    });
    log.info('session ended');
  } catch (error) {
    log.error(describeError(error).message);
  } finally {
    if (!carrier.destroyed) carrier.end();
  }
}

function parseRequest(login: LoggedIn): Request {
  const { command, args, user } = login.command;
  if (command !== 'dsync-server') throw new UsageError(`unknown command ${JSON.stringify(command.slice(0, 40))}`);
  const { options } = parseOptions('dsync-server', args, ARGUMENTS);
  const name = user === '' ? (options.get('user') ?? '') : user;
  if (name === '') throw new UsageError('dsync-server: no user is named');
  const timeout = options.get('timeout');
  if (timeout !== undefined && !/^[0-9]{1,6}$/.test(timeout))
    throw new UsageError('dsync-server: -T needs a number of seconds');
  const wanted = Number(timeout ?? 0) * 1000;
  // A peer may shorten our patience, never lengthen it.
  return { user: name, stallTimeoutMs: wanted > 0 ? Math.min(wanted, STALL_TIMEOUT_MS) : STALL_TIMEOUT_MS };
}

/** Lines on the peer's log channel, if it wants them. */
function remoteLogOf(login: LoggedIn): RemoteLog {
  let left = MAX_REMOTE_LOG_LINES;
  return (level, text) => {
    if (!login.wantsLogs || login.stream.destroyed || left-- <= 0) return;
    const line = printLogLine({ level, text: `dsync-server(${login.command.user}): ${text}` });
    login.stream.write(Buffer.concat(login.channels.log(line)));
  };
}
