import { joinStreams, LineBuffer, ProtocolError } from '@dsync/protocol';
import { UsageError, type Settings } from '@dsync/settings';

import type { Log } from '../log/log.ts';
import { findMailOf, serveSession } from '../session/serve-session.ts';
import { openRawlog } from './rawlog.ts';

/** How one session on stdin and stdout is served. */
export interface StdioOptions {
  /** Null: the first line names the user (`remoteprefix:`), or the environment does. */
  readonly user: string | null;
  readonly stallTimeoutMs: number;
  readonly rawlog: string | null;
  readonly log: Log;
}

/** Serves one session on stdin and stdout. @throws what ends the session */
export async function serveStdio(settings: Settings, options: StdioOptions): Promise<void> {
  const { user, rest } = options.user === null ? await prefixedUser() : { user: options.user, rest: Buffer.alloc(0) };
  const log = options.log.of(user);
  using rawlog = options.rawlog === null ? null : openRawlog(options.rawlog);
  const openStore = findMailOf(settings, user, log);
  const carrier = joinStreams(process.stdin, process.stdout, { first: rest });
  await serveSession(settings, openStore, carrier, {
    stallTimeoutMs: options.stallTimeoutMs,
    // The other end of stdin may be ssh: it is the client, who knows, that decides.
    near: false,
    log,
    ...(rawlog === null ? {} : { rawlog }),
  });
}

/** Longest first line: a user name and its end. */
const MAX_PREFIX = 1024;

/** The user of the first line; if the session begins at once, the user of the environment. */
async function prefixedUser(): Promise<{ readonly user: string; readonly rest: Buffer }> {
  const buffer = new LineBuffer(MAX_PREFIX);
  for (;;) {
    const chunk = await readOnce();
    if (chunk === null) throw new ProtocolError('Closed', 'stdin ended before the user was named');
    const whole = Buffer.concat([buffer.rest(), chunk]);
    buffer.push(whole);
    const line = buffer.take();
    if (line === null) continue;
    if (!line.startsWith('VERSION\t')) return { user: line, rest: buffer.rest() };
    const user = process.env['USER'];
    if (user === undefined || user === '') throw new UsageError('USER environment is missing and -u option not used');
    return { user, rest: whole };
  }
}

function readOnce(): Promise<Buffer | null> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      stdin.pause();
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.off('error', onError);
      act();
    };
    const onData = (chunk: Buffer): void => done(() => resolve(chunk));
    const onEnd = (): void => done(() => resolve(null));
    const onError = (error: Error): void => done(() => reject(error));
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.on('error', onError);
  });
}
