import type { Duplex } from 'node:stream';

import { LineBuffer, ProtocolError } from '@dsync/protocol';

/** Lines of a peer before its session: bounded in bytes and in time. */
export class LineInput {
  readonly #stream: Duplex;
  readonly #buffer: LineBuffer;
  readonly #maxBytes: number;
  #bytes = 0;
  #wake: (() => void) | null = null;
  #end: ProtocolError | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** @param deadlineMs milliseconds from now until reading fails; 0: no deadline */
  constructor(stream: Duplex, limits: { readonly maxLine: number; readonly maxBytes: number; readonly deadlineMs: number }) {
    this.#stream = stream;
    this.#buffer = new LineBuffer(limits.maxLine);
    this.#maxBytes = limits.maxBytes;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onEnd);
    stream.on('error', this.#onError);
    if (limits.deadlineMs > 0) this.#timer = setTimeout(() => this.#stop(new ProtocolError('Stalled', 'the peer took too long to log in')), limits.deadlineMs);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    this.#buffer.push(chunk);
    this.#wake?.();
  };

  readonly #onEnd = (): void => this.#stop(new ProtocolError('Closed', 'the peer closed the connection before its session'));

  readonly #onError = (cause: Error): void => this.#stop(new ProtocolError('Closed', `connection lost: ${cause.message}`, { cause }));

  #stop(error: ProtocolError): void {
    this.#end ??= error;
    this.#wake?.();
  }

  /**
   * The next line without its end.
   * @throws {ProtocolError} `Closed`, `Stalled`, `LimitExceeded`, `Garbage`
   */
  async line(): Promise<string> {
    for (;;) {
      const line = this.#buffer.take();
      if (line !== null) return line;
      if (this.#bytes > this.#maxBytes) throw new ProtocolError('LimitExceeded', `more than ${this.#maxBytes} bytes before the session`);
      if (this.#end !== null) throw this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  /** Stops reading and gives back what was read too far. The stream is paused. */
  release(): Buffer {
    this.#stream.pause();
    this.#stream.off('data', this.#onData);
    this.#stream.off('end', this.#onEnd);
    this.#stream.off('close', this.#onEnd);
    this.#stream.off('error', this.#onError);
    if (this.#timer !== null) clearTimeout(this.#timer);
    return this.#buffer.rest();
  }
}
