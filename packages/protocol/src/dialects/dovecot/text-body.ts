import { ProtocolError } from '../../errors.ts';
import { Pieces } from '../../framing/pieces.ts';
import { BODY_CHUNK } from '../../limits.ts';

/** A large body on its way, read once while it comes. Dovecot's text has no digest: its end is all that proves it. */
export class TextBody implements AsyncIterable<Uint8Array> {
  readonly #held: (bytes: number) => void;
  #queue: Uint8Array[] = [];
  #head = 0;
  /** What came in small pieces, to be read as one. */
  readonly #tail = new Pieces();
  /** Bytes not yet read. */
  #length = 0;
  #over: ProtocolError | 'whole' | null = null;
  #wake: (() => void) | null = null;
  #state: 'untouched' | 'open' | 'closed' = 'untouched';

  /** @param held told how many bytes came (positive) or were used (negative) */
  constructor(held: (bytes: number) => void) {
    this.#held = held;
  }

  push(piece: Uint8Array): void {
    if (this.#state === 'closed') return;
    if (this.#tail.length + piece.length > BODY_CHUNK) this.#queue.push(this.#tail.take());
    this.#tail.push(piece);
    this.#length += piece.length;
    this.#held(piece.length);
    this.#stir();
  }

  finish(): void {
    this.#over ??= 'whole';
    this.#stir();
  }

  fail(error: ProtocolError): void {
    this.#over ??= error;
    this.#stir();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#state !== 'untouched') throw new ProtocolError('Unexpected', 'a body can be read once');
    this.#state = 'open';
    try {
      for (;;) {
        const piece = this.#next();
        if (piece !== null) {
          this.#length -= piece.length;
          this.#held(-piece.length);
          yield piece;
        } else if (this.#over === 'whole') {
          return;
        } else if (this.#over !== null) {
          throw this.#over;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.#drop();
    }
  }

  /**
   * Nobody wants the rest: lets it pass.
   * @throws {ProtocolError} `Unexpected` while somebody is reading
   */
  skip(): void {
    if (this.#state === 'open')
      throw new ProtocolError('Unexpected', 'the next message was asked for in the middle of a body');
    this.#drop();
  }

  #next(): Uint8Array | null {
    const piece = this.#queue[this.#head];
    if (piece === undefined) return this.#tail.length > 0 ? this.#tail.take() : null;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    return piece;
  }

  #drop(): void {
    this.#state = 'closed';
    this.#held(-this.#length);
    this.#length = 0;
    this.#queue = [];
    this.#head = 0;
    this.#tail.take();
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
