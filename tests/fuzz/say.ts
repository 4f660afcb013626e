import { parentPort } from 'node:worker_threads';

/** Tells the main thread. */
export function say(message: unknown): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  parentPort?.postMessage(message);
}
