import type { Duplex } from 'node:stream';

import { MAX_TIMER_MS } from '../clock.ts';
import { ProtocolError } from '../errors.ts';
import { LINGER_MS, WRITE_AHEAD } from '../limits.ts';
import { counted } from '../text.ts';

/** Copies of all bytes of a session, for a raw log. */
export interface Rawlog {
  in(bytes: Uint8Array): void;
  out(bytes: Uint8Array): void;
}

/** Who gets the bytes of a wire. */
export interface WireSink {
  bytes(chunk: Buffer): void;
  /** No more bytes will come; what has come stays good. */
  ended(error: ProtocolError): void;
  /** The session is over at once. */
  failed(error: ProtocolError): void;
}

/** With neither nothing is watched and nothing copied. */
export interface WireOptions {
  /** Milliseconds without a byte in either direction, while something is awaited, after which the session has stalled. */
  readonly stallTimeoutMs?: number;
  readonly rawlog?: Rawlog;
}

const RESOLVED = Promise.resolve();

/**
 * A carrier seen as bytes in and bytes out: counts them, writes everything of one turn of the event loop in one call,
 * watches for stalls. One sink at a time takes what arrives.
 */
export class Wire {
  readonly #carrier: Duplex;
  readonly #stallMs: number;
  readonly #rawlog: Rawlog | undefined;
  #sink: WireSink | undefined;
  #early: Buffer[] = [];
  #ended: ProtocolError | undefined;
  #failure: ProtocolError | undefined;
  #closing: Promise<void> | undefined;
  #corked = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #awaited = 0;
  #quietSince = 0;
  #timer: NodeJS.Timeout | undefined;
  #room: { resolve(): void; reject(error: ProtocolError): void }[] = [];

  constructor(carrier: Duplex, options: WireOptions = {}) {
    this.#carrier = carrier;
    this.#stallMs = Math.min(options.stallTimeoutMs ?? 0, MAX_TIMER_MS);
    this.#rawlog = options.rawlog;
    carrier.on('data', this.#onData);
    carrier.once('end', () => this.#onEnd(new ProtocolError('Closed', 'connection closed by the other side')));
    carrier.on('error', (cause: Error) =>
      this.#onEnd(new ProtocolError('Closed', `connection lost: ${cause.message}`, { cause })),
    );
    carrier.once('close', () => this.#onEnd(new ProtocolError('Closed', 'connection closed')));
    // One that has ended already will not say so again.
    if (carrier.destroyed) process.nextTick(() => this.#onEnd(new ProtocolError('Closed', 'connection closed')));
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** Gives everything that arrived unread, and all that will arrive, to `sink`; `first` are bytes that the last one left. */
  attach(sink: WireSink, first?: Buffer): void {
    this.#sink = sink;
    const early = first === undefined ? this.#early : [first, ...this.#early];
    this.#early = [];
    for (const chunk of early) if (this.#sink === sink) sink.bytes(chunk);
    if (this.#failure !== undefined) sink.failed(this.#failure);
    else if (this.#ended !== undefined) sink.ended(this.#ended);
  }

  /** Keeps what arrives from now on until the next `attach`. */
  detach(): void {
    this.#sink = undefined;
  }

  pause(): void {
    this.#carrier.pause();
  }

  resume(): void {
    if (this.#failure === undefined) this.#carrier.resume();
  }

  /** Queues bytes, which must not be changed afterwards. They go out together at the end of this turn of the event loop. */
  write(bytes: Uint8Array): void {
    if (this.#failure !== undefined || this.#closing !== undefined || this.#carrier.destroyed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#carrier.cork();
      setImmediate(this.#uncork);
    }
    this.#bytesOut += bytes.length;
    this.#rawlog?.out(bytes);
    this.#carrier.write(bytes, this.#onWritten);
    // A full cork would hold the carrier's drain back until the next turn.
    if (this.#carrier.writableLength >= WRITE_AHEAD / 4) this.#uncork();
  }

  /** True while a writer should wait for `room()`. */
  get full(): boolean {
    return this.#carrier.writableLength >= WRITE_AHEAD;
  }

  /** Resolves when the carrier has room for more. */
  room(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended !== undefined && this.#carrier.destroyed) return Promise.reject(this.#ended);
    if (!this.full) return RESOLVED;
    return this.awaiting(new Promise<void>((resolve, reject) => this.#room.push({ resolve, reject })));
  }

  /** Passes on a promise whose fulfilment depends on the peer: while one is pending, silence counts as a stall. */
  awaiting<T>(promise: Promise<T>): Promise<T> {
    this.awaitBegins();
    return promise.finally(this.#awaitEnds);
  }

  awaitBegins(): void {
    if (this.#awaited++ > 0 || this.#stallMs <= 0) return;
    this.#quietSince = Date.now();
    this.#timer ??= setTimeout(this.#checkStall, this.#stallMs);
  }

  awaitEnds(): void {
    this.#awaited--;
  }

  readonly #awaitEnds = (): void => this.awaitEnds();

  /** Ends the session at once for everybody who waits. Bytes already queued can still go out. */
  fail(error: ProtocolError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#stopTimer();
    this.#releaseRoom(error);
    this.#sink?.failed(error);
    this.#carrier.resume();
  }

  /**
   * Writes what is queued, closes our direction and lets go of the carrier. Resolves when the bytes were taken or
   * `LINGER_MS` have passed; then the carrier is destroyed as soon as the peer has closed too.
   */
  close(last?: Uint8Array): Promise<void> {
    return (this.#closing ??= this.#close(last));
  }

  #close(last: Uint8Array | undefined): Promise<void> {
    const carrier = this.#carrier;
    const live = !carrier.destroyed && !carrier.writableEnded;
    if (last !== undefined && live) {
      this.#bytesOut += last.length;
      this.#rawlog?.out(last);
      carrier.write(last);
    }
    this.#failure ??= new ProtocolError('Closed', 'session closed');
    this.#stopTimer();
    this.#uncork();
    this.#releaseRoom(this.#failure);
    this.#sink?.failed(this.#failure);
    this.#sink = undefined;
    if (!live) {
      carrier.destroy();
      return RESOLVED;
    }
    return new Promise((resolve) => {
      // Destroying a socket that has unread bytes resets it, and the peer would lose our last words: read on to its end.
      const destroy = (): void => {
        clearTimeout(timer);
        carrier.destroy();
        resolve();
      };
      const timer = setTimeout(destroy, LINGER_MS);
      carrier.once('close', destroy);
      carrier.once('end', () => (carrier.writableFinished ? destroy() : undefined));
      carrier.resume();
      carrier.end(() => {
        timer.unref();
        resolve();
        if (carrier.readableEnded) destroy();
      });
    });
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytesIn += chunk.length;
    this.#quietSince = Date.now();
    if (this.#failure !== undefined) return;
    this.#rawlog?.in(chunk);
    if (this.#sink === undefined) this.#early.push(chunk);
    else this.#sink.bytes(chunk);
  };

  #onEnd(error: ProtocolError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#stopTimer();
    if (this.#failure !== undefined) return;
    if (this.#carrier.destroyed) this.#releaseRoom(error);
    this.#sink?.ended(error);
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.#carrier.uncork();
  };

  readonly #onWritten = (error?: Error | null): void => {
    this.#quietSince = Date.now();
    if (error) {
      this.#releaseRoom(new ProtocolError('Closed', `connection lost: ${error.message}`, { cause: error }));
      return;
    }
    if (this.#room.length > 0 && this.#carrier.writableLength < WRITE_AHEAD / 2) this.#releaseRoom();
  };

  #releaseRoom(error?: ProtocolError): void {
    const waiting = this.#room;
    if (waiting.length === 0) return;
    this.#room = [];
    for (const w of waiting) {
      if (error === undefined) w.resolve();
      else w.reject(error);
    }
  }

  readonly #checkStall = (): void => {
    this.#timer = undefined;
    if (this.#awaited === 0) return;
    const left = this.#quietSince + this.#stallMs - Date.now();
    if (left > 0) this.#timer = setTimeout(this.#checkStall, left);
    else
      this.fail(
        new ProtocolError(
          'Stalled',
          `I/O has stalled, no activity for ${counted(Math.round(this.#stallMs / 1000), 'second')}`,
        ),
      );
  };

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
