import type { StoreError } from '../errors.ts';
import type { JournalStep } from './journal.ts';
import type { Change, Database } from './lmdb-changes.ts';

/** What one caller wants to be written, all or nothing. */
interface Waiting {
  readonly change: Change;
  /** Steps that count on what is there. */
  readonly steps: readonly JournalStep[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Writes that are asked for together share one transaction and one flush of the disk. */
export class WriteQueue {
  readonly #db: Database;
  readonly #prepare: () => void;
  readonly #refusal: (steps: readonly JournalStep[]) => StoreError | null;
  readonly #failure: (error: unknown) => StoreError;
  #queue: Waiting[] = [];

  /**
   * @param prepare called before a transaction; throws where none may begin
   * @param refusal asked inside the transaction: why steps cannot be written now; null: they can
   * @param failure what a transaction threw, as its callers are told
   */
  constructor(
    db: Database,
    prepare: () => void,
    refusal: (steps: readonly JournalStep[]) => StoreError | null,
    failure: (error: unknown) => StoreError,
  ) {
    this.#db = db;
    this.#prepare = prepare;
    this.#refusal = refusal;
    this.#failure = failure;
  }

  /** Resolves when it is written and, unless the journal is opened without, on the disk. */
  write(change: Change, steps: readonly JournalStep[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, steps, resolve, reject });
      if (this.#queue.length === 1) setImmediate(() => this.flush());
    });
  }

  /** Writes at once what waits. */
  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    if (queue.length === 0) return;
    const refused = new Map<Waiting, StoreError>();
    try {
      this.#prepare();
      this.#db.transactionSync(() => {
        for (const waiting of queue) {
          const reason = this.#refusal(waiting.steps);
          if (reason === null) waiting.change(this.#db);
          else refused.set(waiting, reason);
        }
      });
    } catch (error) {
      const told = this.#failure(error);
      for (const { reject } of queue) reject(told);
      return;
    }
    for (const waiting of queue) {
      const reason = refused.get(waiting);
      if (reason === undefined) waiting.resolve();
      else waiting.reject(reason);
    }
  }
}
