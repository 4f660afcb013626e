/** What may be under way at once. */
export interface FlightLimits {
  readonly items: number;
  /** Of the items' weights together; an item that is alone may weigh more. */
  readonly weight: number;
}

/** Runs work on items, some at a time, in order of starting; stops starting at the first failure. */
export class InFlight {
  readonly #limits: FlightLimits;
  readonly #running = new Set<Promise<void>>();
  #weight = 0;
  #failure: { readonly reason: unknown } | null = null;
  readonly #onFailure: (reason: unknown) => void;

  constructor(limits: FlightLimits, onFailure: (reason: unknown) => void) {
    this.#limits = limits;
    this.#onFailure = onFailure;
  }

  /** Waits until there is room for an item of that weight. @throws the first failure of anything started before */
  async room(weight = 0): Promise<void> {
    while (this.#isFull(weight) && this.#failure === null) await Promise.race(this.#running);
    this.#throwFailure();
  }

  /** Waits for room, then starts. @throws the first failure of anything started before */
  async start(work: () => Promise<void>, weight = 0): Promise<void> {
    await this.room(weight);
    this.#weight += weight;
    const running = work().catch((reason: unknown) => {
      if (this.#failure !== null) return;
      this.#failure = { reason };
      this.#onFailure(reason);
    });
    this.#running.add(running);
    void running.then(() => this.#isOver(running, weight));
  }

  /** Waits for everything that was started. @throws the first failure */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  #isOver(running: Promise<void>, weight: number): void {
    this.#running.delete(running);
    this.#weight -= weight;
  }

  #isFull(weight: number): boolean {
    const { size } = this.#running;
    return size >= this.#limits.items || (size > 0 && this.#weight + weight > this.#limits.weight);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.reason;
  }
}
