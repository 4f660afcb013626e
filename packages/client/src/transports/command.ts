/** A program whose stdin and stdout are the connection: any command, or ssh. */
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';

import { joinStreams } from '@dsync/protocol';
import { UsageError } from '@dsync/settings';

import { TransportError, type Connection } from './connection.ts';

/** How a program is used whose stdin and stdout are the connection. */
export interface CommandOptions {
  /** What is written before the session (`remoteprefix:`). */
  readonly prefix?: string;
  /** The program leads to another machine. */
  readonly distant: boolean;
  /** Called for each line of the program's stderr, without control characters. */
  readonly onLine: (line: string) => void;
}

/** Milliseconds that a program may take to end by itself after the session, then after SIGTERM. */
const GRACE_MS = 30_000;
const TERM_MS = 2_000;

/** Longest line of stderr that is kept; the rest of it is shown as further lines. */
const MAX_LINE = 4096;

/**
 * Starts a program; no shell is involved.
 * @throws {TransportError} exit 75 if it cannot be started; {UsageError} if it is a folder
 */
export async function connectCommand(argv: readonly string[], options: CommandOptions): Promise<Connection> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = new Promise<string | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(describeExit(code, signal)));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(
        isFolder(program)
          ? noProgram(program)
          : new TransportError('CannotStart', `cannot start ${program}: ${cause.message}`, 75, { cause }),
      ),
    );
  });
  child.on('error', () => undefined);
  passLines(child, options.onLine);
  const carrier = joinStreams(child.stdout, child.stdin);
  if (options.prefix !== undefined) carrier.write(options.prefix);
  return {
    carrier,
    distant: options.distant,
    close: async () => {
      if (!carrier.writableEnded && !carrier.destroyed) carrier.end();
      if (!carrier.destroyed) carrier.resume();
      return (await within(exited, GRACE_MS)) ?? (await stop(child, exited));
    },
  };
}

/** A path alone is a program; who means a mail folder has to say so. */
function noProgram(folder: string): UsageError {
  return new UsageError(`${folder} is a folder, not a program; a folder with mail is written maildir:${folder}`);
}

function isFolder(path: string): boolean {
  return path.includes('/') && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

type Ended = { readonly text: string | null };

async function within(exited: Promise<string | null>, ms: number): Promise<string | null> {
  const ended = await raceTimeout(exited, ms);
  return ended === null ? null : (ended.text ?? '');
}

function raceTimeout(exited: Promise<string | null>, ms: number): Promise<Ended | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ms);
    const settle = async (): Promise<void> => {
      const text = await exited;
      clearTimeout(timer);
      resolve({ text });
    };
    void settle();
  });
}

async function stop(child: ChildProcess, exited: Promise<string | null>): Promise<string> {
  child.kill('SIGTERM');
  if ((await raceTimeout(exited, TERM_MS)) === null) child.kill('SIGKILL');
  await exited;
  return 'Remote command did not end, it was stopped';
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string | null {
  if (signal !== null) return `Remote command was ended by ${signal}`;
  return code === 0 ? null : `Remote command returned error ${code ?? '?'}`;
}

function passLines(child: ChildProcess, onLine: (line: string) => void): void {
  let pending = '';
  const { stderr } = child;
  if (stderr === null) return;
  const show = (line: string): void => {
    // oxlint-disable-next-line no-control-regex
    const clean = line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '').trimEnd();
    if (clean !== '') onLine(clean);
  };
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    lines.forEach(show);
    if (pending.length > MAX_LINE) {
      show(pending);
      pending = '';
    }
  });
  stderr.on('end', () => show(pending));
  stderr.on('error', () => undefined);
}
