import { ProtocolError } from '../../errors.ts';

/** A large body on its way, read once while it comes. Dovecot's text has no digest: its end is all that proves it. */
export class TextBody implements AsyncIterable<Uint8Array> {
  readonly #held: (bytes: number) => void;
  #queue: Uint8Array[] = [];
  #over: ProtocolError | 'whole' | null = null;
  #wake: (() => void) | null = null;
  #state: 'untouched' | 'open' | 'closed' = 'untouched';

  /** @param held told how many bytes came (positive) or were used (negative) */
  constructor(held: (bytes: number) => void) {
    this.#held = held;
  }

  push(piece: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#queue.push(piece);
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
        const piece = this.#queue.shift();
        if (piece !== undefined) {
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

  #drop(): void {
    this.#state = 'closed';
    this.#held(-this.#queue.reduce((sum, piece) => sum + piece.length, 0));
    this.#queue = [];
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
