import type { Channel } from '@dsync/protocol';

import { duringRun, reasonOf } from './went-away.ts';

/**
 * The first thing that goes wrong in a run. It closes the channel, and whatever else is under way then fails for that
 * alone, some of it sooner than what went wrong has cleared up.
 */
export class FirstFailure {
  readonly #channel: Channel;
  #first: { readonly reason: unknown } | null = null;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Tells the peer, and wakes whoever waits for it; remembered if nothing has failed before. */
  note(reason: unknown): void {
    this.#first ??= { reason };
    void this.#channel.abort(reasonOf(reason));
  }

  /** Ends the session with what it fails for, which the peer is told. @returns that, for the caller to throw */
  async end(thrown: unknown): Promise<unknown> {
    const error = duringRun(this.#first === null ? thrown : this.#first.reason);
    await this.#channel.abort(reasonOf(error));
    return error;
  }
}
