import { Duplex } from 'node:stream';

/** Bytes that one end may write ahead of the other's reading. */
const AHEAD = 256 * 1024;

/** One end of a pipe made by `createPipe`. */
export class PipeEnd extends Duplex {
  #other: PipeEnd | undefined;
  #resume: (() => void) | undefined;

  constructor() {
    super({ readableHighWaterMark: AHEAD, writableHighWaterMark: AHEAD, allowHalfOpen: true });
  }

  join(other: PipeEnd): void {
    this.#other = other;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#deliver([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#deliver(
      chunks.map((c) => c.chunk),
      done,
    );
  }

  #deliver(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const other = this.#other;
    if (other === undefined || other.destroyed) {
      done(new Error('the other end of the pipe is closed'));
      return;
    }
    // Never at once: what the other end writes in answer would reach us in the middle of what we are doing.
    process.nextTick(() => {
      if (other.destroyed) {
        done(new Error('the other end of the pipe is closed'));
        return;
      }
      let room = true;
      for (const chunk of chunks) room = other.push(chunk);
      if (room) done();
      else other.#resume = done;
    });
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    if (resume !== undefined) process.nextTick(resume);
  }

  override _final(done: () => void): void {
    if (this.#other?.destroyed === false) this.#other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other;
    // A writer that waits for us would wait for ever; a reader sees the end of the stream.
    this._read();
    if (other !== undefined && !other.destroyed && !other.readableEnded && !this.writableFinished) other.push(null);
    done(error);
  }
}

/**
 * Two Duplex streams in this process, each the other's peer: what is written to one can be read from the other.
 * Backpressure goes through: a writer that is not read waits after 256 KiB on each side.
 */
export function createPipe(): readonly [Duplex, Duplex] {
  const a = new PipeEnd();
  const b = new PipeEnd();
  a.join(b);
  b.join(a);
  return [a, b];
}
