/** A thread that is ended when it stands still. */
import { Worker } from 'node:worker_threads';

/** An input that takes longer is taken for one that never ends. */
export const HANG_MS = 30_000;

/** What one input and what is kept from others may take; beyond it the thread ends with an error. */
const LIMITS = { maxOldGenerationSizeMb: 256 };

/** What a thread runs, and how it is watched. */
export interface ThreadOptions {
  /** Which module, beside this one. */
  readonly module: string;
  readonly data: unknown;
  /** Changes while the thread goes on. */
  readonly pulse: () => unknown;
  readonly heard: (message: unknown) => void;
}

/** @returns null, or why the thread ended before its time */
export function runThread({ module, data, pulse, heard }: ThreadOptions): Promise<string | null> {
  return new Promise((resolve) => {
    // What `--import tsx` sets up does not reach threads.
    const worker = new Worker(new URL('./thread-start.js', import.meta.url), {
      workerData: data,
      argv: [module],
      resourceLimits: LIMITS,
    });
    let why: string | null = null;
    let last: unknown;
    let since = performance.now();
    const watch = setInterval(() => {
      const now = pulse();
      if (now !== last) {
        last = now;
        since = performance.now();
      } else if (performance.now() - since > HANG_MS) {
        why = `does not end within ${HANG_MS / 1000} seconds`;
        void worker.terminate();
      }
    }, 1000);
    worker.on('message', heard);
    worker.on('error', (error) => (why = error.stack ?? error.message));
    worker.on('exit', (status) => {
      clearInterval(watch);
      resolve(why ?? (status === 0 ? null : `ended with ${status}: a promise that is never kept`));
    });
  });
}
