/** The two programs as users start them, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../node_modules/.bin');
const PASSWORD = 'open sesame';

/** Users' mail lies below `folder`/near/USER and `folder`/far/USER. */
const settings = (folder: string, side: 'near' | 'far'): readonly string[] => [
  '-o',
  `mail_location=maildir:${folder}/${side}/%u/Maildir`,
  '-o',
  `doveadm_password=${PASSWORD}`,
];

/** How a program ended; one of status and signal is null. */
export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** A client that runs. */
export interface Client {
  readonly pid: number;
  readonly ended: Promise<Ended>;
}

/** Starts a run of the user's `near` mail with the server. @param command `sync` or `backup` */
export function startClient(folder: string, command: string, user: string, port: number): Client {
  const args = [...settings(folder, 'near'), command, '-u', user, `tcp:127.0.0.1:${port}`];
  const child = spawn(process.execPath, [join(BIN, 'dsync'), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  return { pid: pidOf(child), ended: endOf(child) };
}

/** A server that runs. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly ended: Promise<Ended>;
}

/** Starts a server for all users' `far` mail on a free port, and waits until it listens. */
export async function startServer(folder: string): Promise<Server> {
  const args = [...settings(folder, 'far'), '--listen', 'tcp:127.0.0.1:0'];
  const child = spawn(process.execPath, [join(BIN, 'dsync-server'), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = endOf(child);
  let said = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /listening on .*:(\d+)\n/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    void ended.then(() => reject(new Error(`the server ended: ${said}`)));
  });
  return {
    pid: pidOf(child),
    port,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Ends a process of ours at once; nothing happens if it has ended. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was quicker.
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the program cannot be started');
  return child.pid;
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stderr }));
  });
}
