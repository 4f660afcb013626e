/** Which ways through our own code were taken, as V8 counts it. */
import { Session, type Profiler } from 'node:inspector';

const OURS = /\/packages\/[a-z]+\/(?:src|dist)\//;

/** Questions after which counting begins anew. */
const ANEW = 50;

/** Asked after each batch of inputs whether any of them went a way that none went before. */
export class Coverage {
  readonly #session = new Session();
  /** Every stretch of code that was reached, with about how often. */
  readonly #seen = new Set<string>();
  #questions = 0;

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#start();
  }

  #start(): void {
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Whether something was reached since the last question that had never been; it has now if `remember`. */
  isNew(remember: boolean): boolean {
    let isNew = false;
    for (const key of this.#taken()) {
      if (this.#seen.has(key)) continue;
      isNew = true;
      if (!remember) return true;
      this.#seen.add(key);
    }
    return isNew;
  }

  *#taken(): Generator<string> {
    // It answers before it returns.
    let result: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      result = answer.result;
    });
    // While it counts, V8 keeps what it knows of every function that was ever made.
    if (++this.#questions % ANEW === 0) {
      this.#session.post('Profiler.stopPreciseCoverage');
      this.#start();
    }
    for (const { url, functions } of result) {
      if (!OURS.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) yield `${url} ${startOffset} ${endOffset} ${Math.min(4, Math.floor(Math.log2(count)))}`;
        }
      }
    }
  }
}
