/** Named locks inside one process. */
import { counted, monotonicMs } from '@dsync/protocol';

import { StoreError } from '../errors.ts';

export class Locks {
  readonly #held = new Map<string, Promise<void>>();

  /** @throws {StoreError} `Locked` after `timeoutMs` */
  async take(key: string, what: string, timeoutMs: number): Promise<AsyncDisposable> {
    const deadline = monotonicMs() + timeoutMs;
    for (let held = this.#held.get(key); held !== undefined; held = this.#held.get(key)) {
      if (!(await endsWithin(held, deadline - monotonicMs()))) {
        throw new StoreError(
          'Locked',
          `couldn't lock ${what} within ${counted(Math.ceil(timeoutMs / 1000), 'second')}: another run holds it`,
        );
      }
    }
    let release = (): void => {};
    const free = new Promise<void>((resolve) => {
      release = () => {
        if (this.#held.get(key) === free) this.#held.delete(key);
        resolve();
      };
    });
    this.#held.set(key, free);
    return { [Symbol.asyncDispose]: async () => release() };
  }
}

async function endsWithin(held: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, ms));
  });
  try {
    return await Promise.race([held.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
