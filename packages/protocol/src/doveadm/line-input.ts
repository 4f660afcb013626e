import type { Duplex } from 'node:stream';

import { ProtocolError } from '../errors.ts';
import { LineBuffer } from './lines.ts';

/** What bounds the reading of lines, and where they begin. */
export interface LineInputOptions {
  /** Bytes of one line. */
  readonly maxLine: number;
  /** Bytes in all. */
  readonly maxBytes: number;
  /** Milliseconds from now until reading fails; 0: no deadline. */
  readonly deadlineMs: number;
  /** Takes the lines' bytes out of what arrives. May throw a ProtocolError. */
  readonly decode?: (chunk: Buffer) => readonly Buffer[];
  /** Bytes that have arrived already, decoded or not as `decode` wants them. */
  readonly first?: Buffer;
}

/** Lines of a peer before its session: bounded in bytes and in time. */
export class LineInput {
  readonly #stream: Duplex;
  readonly #buffer: LineBuffer;
  readonly #options: LineInputOptions;
  #bytes = 0;
  #wake: (() => void) | null = null;
  #end: ProtocolError | null = null;
  readonly #timer: NodeJS.Timeout | null = null;

  constructor(stream: Duplex, options: LineInputOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#buffer = new LineBuffer(options.maxLine);
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onEnd);
    stream.on('error', this.#onError);
    if (options.deadlineMs > 0) {
      this.#timer = setTimeout(
        () => this.#stop(new ProtocolError('Stalled', 'the peer took too long to log in')),
        options.deadlineMs,
      );
    }
    if (options.first !== undefined && options.first.length > 0) this.#onData(options.first);
    // What has ended already says so no more.
    if (stream.readableEnded || stream.closed) this.#onEnd();
    stream.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    try {
      for (const piece of this.#options.decode?.(chunk) ?? [chunk]) this.#buffer.push(piece);
    } catch (error) {
      this.#stop(error instanceof ProtocolError ? error : new ProtocolError('Garbage', String(error)));
    }
    this.#wake?.();
  };

  readonly #onEnd = (): void =>
    this.#stop(new ProtocolError('Closed', 'the peer closed the connection before its session'));

  readonly #onError = (cause: Error): void =>
    this.#stop(new ProtocolError('Closed', `connection lost: ${cause.message}`, { cause }));

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
      const { maxBytes } = this.#options;
      if (this.#bytes > maxBytes)
        throw new ProtocolError('LimitExceeded', `more than ${maxBytes} bytes before the session`);
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
