/** Runs work on items with at most `limit` at a time, in order of starting; stops starting at the first failure. */
export class InFlight {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly reason: unknown } | null = null;
  readonly #onFailure: (reason: unknown) => void;

  constructor(limit: number, onFailure: (reason: unknown) => void) {
    this.#limit = limit;
    this.#onFailure = onFailure;
  }

  /** Waits for a free place. @throws the first failure of anything started before */
  async room(): Promise<void> {
    while (this.#running.size >= this.#limit && this.#failure === null) await Promise.race(this.#running);
    this.#throwFailure();
  }

  /** Waits for a free place, then starts. @throws the first failure of anything started before */
  async start(work: () => Promise<void>): Promise<void> {
    await this.room();
    const running = work().catch((reason: unknown) => {
      if (this.#failure !== null) return;
      this.#failure = { reason };
      this.#onFailure(reason);
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** Waits for everything that was started. @throws the first failure */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.reason;
  }
}
