/**
 * One mailbox's mails at a time leave for the peer, in the order of its asking: so one mailbox after the other is complete there,
 * and becomes durable while the next one's mails come, where all together would be at the very end. Nobody can wait for a turn
 * for ever: whoever has it waits for nothing but the peer's taking what is sent.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does `work` when everybody before is done, however that ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
