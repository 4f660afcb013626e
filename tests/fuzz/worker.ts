/** Tries a stretch of a target's inputs, in a thread. */
import { workerData } from 'node:worker_threads';

import { targetNamed } from './findings.ts';
import { makeInput } from './make-input.ts';
import { isStretch, type Outcome, type Stretch } from './messages.ts';
import { say } from './say.ts';

/** Bytes outside the heap, where carriers' chunks are; a session may keep a few MiB, and what is free is not freed at once. */
const MOST_OUTSIDE = 256 * 1024 * 1024;
const LOOK_EVERY = 64;

async function tryAll({ target: name, seed, from, to, progress }: Stretch): Promise<Outcome> {
  const target = targetNamed(name);
  const seeds = await target.seeds();
  let mostBytes = 0;
  for (let index = from; index < to; index++) {
    Atomics.store(progress, 0, index);
    try {
      await target.run(makeInput(target, seeds, seed, index));
      if (index % LOOK_EVERY !== 0) continue;
      const { heapUsed, external } = process.memoryUsage();
      mostBytes = Math.max(mostBytes, heapUsed + external);
      if (external > MOST_OUTSIDE) throw new Error(`${external} bytes of memory are in use`);
    } catch (error) {
      return { mostBytes, stack: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }
  return { mostBytes, stack: null };
}

// Making a stack for each refused input would take most of the time.
Error.stackTraceLimit = 0;
const data: unknown = workerData;
if (!isStretch(data)) throw new Error('there is nothing to try');
say(await tryAll(data));
