/** Wall time and peak memory of a program from its start to its end. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

/** One run of a command. */
export interface Measured {
  readonly seconds: number;
  /** Peak resident memory in MB of the started process. */
  readonly peakMb: number;
}

/** Peak resident memory of a running process in MB; 0 if it has gone. */
export const peakMemory = (pid: number): number => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
};

/** @throws {Error} with what the program said, if it does not end with 0 */
export const measure = (command: readonly string[]): Promise<Measured> =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const begun = process.hrtime.bigint();
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let peakMb = 0;
    const timer = setInterval(() => (peakMb = Math.max(peakMb, peakMemory(child.pid ?? 0))), 20);
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
      if (code === 0) resolve({ seconds, peakMb });
      else
        reject(
          new Error(`${command.join(' ')} ended with ${code}: ${Buffer.concat(said).toString('utf8').slice(0, 2000)}`),
        );
    });
  });

/** Mail files below a Maildir, to see that a run did its work. */
export const countMails = async (root: string): Promise<number> => {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && /\/(cur|new)$/.test(entry.parentPath)).length;
};

/** NaN of nothing. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
};
