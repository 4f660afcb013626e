import { afterAll, beforeAll } from '@jest/globals';

/**
 * Starts something for the tests of the present group, and ends it after the last one. What could not be started is not
 * ended: the error of that would hide the reason.
 * @param take is given it before the first test
 * @param end may look for traces of what has gone wrong before it ends it
 */
export function share<T>(
  start: () => Promise<T>,
  take: (started: T) => unknown,
  end: (started: T) => PromiseLike<void>,
): void {
  let ending: (() => PromiseLike<void>) | null = null;
  beforeAll(async () => {
    const started = await start();
    ending = () => end(started);
    await take(started);
  });
  afterAll(async () => {
    await ending?.();
  });
}
