/** Child processes of the rig: what is started here is ended here, by its own process id. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Nothing of the caller's configuration may reach a peer, so only this is handed on. */
export const CLEAN_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
};

/** How a program ended; `code` is null if a signal ended it. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end; never throws for an exit status. */
export const run = (
  program: string,
  args: readonly string[],
  options: SpawnOptions & { readonly input?: Buffer | string } = {},
): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const { input, ...rest } = options;
    const child = spawn(program, args, { env: CLEAN_ENVIRONMENT, ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined); // the program may end without reading its input
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') }),
    );
  });

/** As `run`, for steps of the rig itself. @throws {Error} if the program does not exit with 0 */
export const mustRun = async (
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Outcome> => {
  const outcome = await run(program, args, options);
  if (outcome.code !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr}${outcome.stdout.toString('utf8')}`,
    );
  }
  return outcome;
};

/** Sends SIGTERM to this one process, SIGKILL if it has not ended after `graceMs`, and waits for its end. */
export const endProcess = async (child: ChildProcess, graceMs = 10_000): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Waits until a loopback port accepts. @throws {Error} if the process ends first, or after 20 s */
export const untilAccepting = async (
  port: number,
  child: ChildProcess,
  explain: () => Promise<string>,
): Promise<void> => {
  for (let attempt = 0; attempt < 800; attempt += 1) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await accepts(port)) return;
    await delay(25);
  }
  throw new Error(`nothing listens on 127.0.0.1:${port}: ${await explain()}`);
};
