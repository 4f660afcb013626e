import { Duplex, type Readable, type Writable } from 'node:stream';

import { asError } from '../errors.ts';

/** How bytes change on their way; used for the multiplexed direction. */
export interface CarrierHooks {
  /** What arrives → what is read. May throw: the carrier is then destroyed with that error. */
  readonly decode?: (chunk: Buffer) => readonly Buffer[];
  /** What is written together → what is sent for it. */
  readonly encode?: (chunks: readonly Buffer[]) => readonly Buffer[];
  /** Bytes that were read, and decoded, already. */
  readonly first?: Buffer;
}

/** Bytes that may wait unread on each way. */
const AHEAD = 256 * 1024;

class Carrier extends Duplex {
  readonly #from: Readable;
  readonly #to: Writable;
  readonly #hooks: CarrierHooks;
  #hasEnded = false;

  constructor(from: Readable, to: Writable, hooks: CarrierHooks) {
    super({ readableHighWaterMark: AHEAD, writableHighWaterMark: AHEAD, allowHalfOpen: true });
    this.#from = from;
    this.#to = to;
    this.#hooks = hooks;
    if (hooks.first !== undefined && hooks.first.length > 0) this.push(hooks.first);
    from.on('data', (chunk: Buffer) => this.#arrived(chunk));
    from.once('end', () => this.#ended());
    from.once('close', () => this.#ended());
    from.on('error', () => this.#ended());
    // Whoever cannot be written to any more may have said why: what it said is read to its end first.
    to.on('error', () => undefined);
    // What has ended already says so no more.
    if (from.readableEnded || from.closed) this.#ended();
  }

  #arrived(chunk: Buffer): void {
    if (this.destroyed || this.readableEnded) return;
    try {
      const pieces = this.#hooks.decode?.(chunk) ?? [chunk];
      let room = true;
      for (const piece of pieces) if (piece.length > 0) room = this.push(piece);
      if (!room) this.#from.pause();
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  #ended(): void {
    if (this.#hasEnded || this.destroyed) return;
    this.#hasEnded = true;
    this.push(null);
  }

  override _read(): void {
    this.#from.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  #send(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const to = this.#to;
    if (to.destroyed || to.writableEnded) {
      // Nobody will read it; that the conversation is over shows where it is read.
      done();
      return;
    }
    to.cork();
    let room = true;
    for (const chunk of this.#hooks.encode?.(chunks) ?? chunks) room = to.write(chunk);
    to.uncork();
    if (room || !to.writableNeedDrain) {
      done();
      return;
    }
    const settle = (): void => {
      to.off('drain', settle);
      to.off('close', settle);
      done();
    };
    to.on('drain', settle);
    to.on('close', settle);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#to.destroyed || this.#to.writableEnded) done();
    else this.#to.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#from.destroy();
    this.#to.destroy();
    done(error);
  }
}

/**
 * One Duplex from a stream to read and one to write: stdin and stdout, a child's, or a socket whose bytes are framed.
 * It owns both: ending it ends `to`, destroying it destroys both.
 */
export function joinStreams(from: Readable, to: Writable, hooks: CarrierHooks = {}): Duplex {
  return new Carrier(from, to, hooks);
}
