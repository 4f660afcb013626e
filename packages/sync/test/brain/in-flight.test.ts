/** How much is under way at once. */
import { describe, expect, test } from '@jest/globals';

import { deferred, type Deferred } from '../../src/brain/deferred.ts';
import { InFlight } from '../../src/brain/in-flight.ts';

/** Items that are under way until they are told to end. */
class Items {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, Deferred<void>>();

  work(name: string): () => Promise<void> {
    return () => {
      this.begun.push(name);
      const end = deferred<void>();
      this.#ends.set(name, end);
      return end.promise;
    };
  }

  /** Ends an item, and lets what waited for it begin. */
  async end(name: string, reason?: Error): Promise<void> {
    const end = this.#ends.get(name);
    if (reason === undefined) end?.resolve();
    else end?.reject(reason);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const ignore = (): void => undefined;

/** Starts all of them, each as soon as there is room. */
async function startAll(inFlight: InFlight, items: Items, weights: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, weight] of Object.entries(weights)) await inFlight.start(items.work(name), weight);
}

describe('what is under way at once', () => {
  test.each([
    ['three places, little in them', { items: 3, weight: 100 }, { a: 1, b: 1, c: 1, d: 1 }, ['a', 'b', 'c']],
    ['weights that come to the limit', { items: 9, weight: 100 }, { a: 60, b: 40, c: 1 }, ['a', 'b']],
    ['one that alone weighs more', { items: 9, weight: 100 }, { a: 500, b: 1 }, ['a']],
    ['one that weighs more, behind others', { items: 9, weight: 100 }, { a: 1, b: 500, c: 1 }, ['a']],
  ])('%s', async (_name, limits, weights, expected) => {
    const items = new Items();
    const inFlight = new InFlight(limits, ignore);
    const started = startAll(inFlight, items, weights);
    await items.end('nobody');
    expect(items.begun).toEqual(expected);
    for (const name of Object.keys(weights)) await items.end(name);
    await started;
    await inFlight.end();
    expect(items.begun).toEqual(Object.keys(weights));
  });

  test('after a failure nothing more begins, and it is told', async () => {
    const items = new Items();
    const told: unknown[] = [];
    const inFlight = new InFlight({ items: 2, weight: 100 }, (reason) => told.push(reason));
    const started = startAll(inFlight, items, { a: 1, b: 1, c: 1 });
    started.catch(ignore);
    const failure = new Error('broken');
    await items.end('nobody');
    await items.end('a', failure);
    await expect(started).rejects.toBe(failure);
    await items.end('b');
    await expect(inFlight.end()).rejects.toBe(failure);
    expect([items.begun, told]).toEqual([['a', 'b'], [failure]]);
  });
});
