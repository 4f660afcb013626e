/** Work on a list, begun a little before anybody asks for it. */
export class Ahead<T, R> {
  readonly #items: readonly T[];
  readonly #ahead: number;
  readonly #work: (item: T) => Promise<R>;
  readonly #begun = new Map<number, Promise<R>>();

  /** @param ahead how many items after the one that was asked for are begun with it */
  constructor(items: readonly T[], ahead: number, work: (item: T) => Promise<R>) {
    this.#items = items;
    this.#ahead = ahead;
    this.#work = work;
  }

  /** The result for one item; whatever its work throws. */
  async take(index: number): Promise<R> {
    for (let next = index; next <= index + this.#ahead; next += 1) this.#begin(next);
    const work = this.#begun.get(index);
    if (work === undefined) throw new Error(`there is no item ${index}`);
    return await work;
  }

  /** Waits until nothing is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#begun.values());
  }

  #begin(index: number): void {
    const item = this.#items[index];
    if (item === undefined || this.#begun.has(index)) return;
    const work = this.#work(item);
    work.catch(() => undefined);
    this.#begun.set(index, work);
  }
}
