/**
 * Makes what was written survive a power cut. Shared by the whole process: everybody who asks while a flush is under
 * way is served by the next one, so that many commits at once cost few flushes.
 *
 * For a few files each is synced by itself; for many, one syncfs(2) serves all. It reports write errors as fdatasync does (since Linux 5.8).
 */
import fs from 'node:fs';

import { StoreError } from '../errors.ts';

/** Above this many files in one flush, syncfs is cheaper: it costs about 3 ms, a file about 0.3 ms. */
const FEW = 12;
/** Node's thread pool has four threads; more in flight would only keep others waiting. */
const AT_ONCE = 4;

/** Files of which there may be too many to name each. */
export interface Many {
  readonly count: number;
  readonly paths: () => readonly string[];
}

/** For a flush of named files alone. */
export const NOT_MANY: Many = { count: 0, paths: () => [] };

interface Request {
  readonly paths: readonly string[];
  readonly many: Many;
  readonly anchors: readonly string[];
  readonly done: (error: StoreError | null) => void;
}

class Flusher {
  #waiting: Request[] = [];
  #running = false;
  #hasSyncfs = process.platform === 'linux';

  /**
   * @param paths files and directories that must be durable
   * @param many more of them
   * @param anchors one directory on every file system that they lie on
   * @throws {StoreError} `DiskFull`, `Temporary`
   */
  flush(paths: readonly string[], many: Many, anchors: readonly string[]): Promise<void> {
    if (paths.length + many.count === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ paths, many, anchors, done: (error) => (error === null ? resolve() : reject(error)) });
      if (this.#running) return;
      this.#running = true;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    for (;;) {
      // Whoever else is ready in this turn of the loop comes along: also those who were just served, and go on.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#waiting.length === 0) break;
      const batch = this.#waiting;
      this.#waiting = [];
      const error = await this.#serve(batch).then(
        () => null,
        (cause: unknown) => StoreError.from(cause, 'cannot make mail durable'),
      );
      for (const { done } of batch) done(error);
    }
    this.#running = false;
  }

  async #serve(batch: readonly Request[]): Promise<void> {
    const few = new Set(batch.flatMap((request) => request.paths));
    const count = batch.reduce((sum, { many }) => sum + many.count, few.size);
    if (count > FEW && this.#hasSyncfs) {
      const anchors = [...new Set(batch.flatMap((request) => request.anchors))];
      const { syncfs } = await import('./syncfs.ts');
      if (await syncfs(anchors)) return;
      this.#hasSyncfs = false;
    }
    await syncEach([...few, ...batch.flatMap(({ many }) => many.paths())]);
  }
}

async function syncEach(paths: readonly string[]): Promise<void> {
  const queue = paths.values();
  const worker = async (): Promise<void> => {
    for (const path of queue) await syncOne(path);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function syncOne(path: string): Promise<void> {
  const handle = await fs.promises.open(path, 'r');
  try {
    // Not datasync: the received date is the file's mtime, and a directory's entries are not its "data" everywhere.
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The one of this process. */
export const flusher = new Flusher();
