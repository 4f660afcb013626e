/** The end of a run that nobody wants any more: Ctrl-C, a closed terminal, a machine that goes down. */
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Milliseconds that a run may take to its end in good order. */
const GRACE_MS = 3_000;

/** `exit` is what a shell says of a process that a signal has ended. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly code = 'Interrupted';
  readonly exit: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}; what was begun is completed by the next run`);
    this.exit = 128 + constants.signals[signal];
  }
}

/**
 * A signal cuts the conversation, so that the run fails and closes its stores: no lock and no temporary folder is left, and
 * the next run need not look through the journal. Before there is a conversation, or with another signal, or when that
 * takes too long, the process ends at once.
 */
export class Interruption implements Disposable {
  #carrier: Duplex | null = null;
  #error: Interrupted | null = null;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#take);
  }

  /** What has ended the run, if it was a signal. */
  get error(): Interrupted | null {
    return this.#error;
  }

  /** The conversation to be cut. */
  cuts(carrier: Duplex): void {
    this.#carrier = carrier;
  }

  readonly #take = (signal: NodeJS.Signals): void => {
    const error = new Interrupted(signal);
    if (this.#carrier === null || this.#error !== null) process.exit(error.exit);
    this.#error = error;
    this.#carrier.destroy();
    setTimeout(() => process.exit(error.exit), GRACE_MS).unref();
  };

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#take);
  }
}
