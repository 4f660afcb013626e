/**
 * Bytes that are gathered until they are a whole. A peer may send them one by one: small pieces are copied together, so
 * that what is kept costs about as much as it is long, and a view does not keep the carrier's whole chunk.
 */

/** Pieces shorter than this are copied. */
const SMALL = 1024;
/** Room for small pieces at the beginning, and at most. */
const FIRST_ROOM = 256;
const MOST_ROOM = 64 * 1024;

/** Gathers pieces; `take` gives them as one buffer. */
export class Pieces {
  #whole: Uint8Array[] = [];
  #small: Buffer = Buffer.alloc(0);
  #used = 0;
  #length = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    this.#length += piece.length;
    if (piece.length >= SMALL) {
      this.#close();
      this.#whole.push(piece);
      return;
    }
    if (this.#used + piece.length > this.#small.length) this.#grow(piece.length);
    this.#small.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** Everything, in one piece, which may be a view of what was pushed; nothing is kept. */
  take(): Buffer {
    this.#close();
    const [only] = this.#whole;
    if (only === undefined || this.#whole.length > 1) return this.takeCopy();
    this.#whole = [];
    this.#length = 0;
    return Buffer.from(only.buffer, only.byteOffset, only.length);
  }

  /** Everything, in one piece of its own. */
  takeCopy(): Buffer {
    this.#close();
    const all = Buffer.concat(this.#whole, this.#length);
    this.#whole = [];
    this.#length = 0;
    return all;
  }

  #grow(by: number): void {
    if (this.#used + by > MOST_ROOM) this.#close();
    const room = Buffer.allocUnsafe(Math.min(MOST_ROOM, Math.max(FIRST_ROOM, this.#small.length * 2, this.#used + by)));
    room.set(this.#small.subarray(0, this.#used));
    this.#small = room;
  }

  /** What is small so far is one whole piece; the next ones begin another. */
  #close(): void {
    if (this.#used > 0) this.#whole.push(this.#small.subarray(0, this.#used));
    this.#small = Buffer.alloc(0);
    this.#used = 0;
  }
}
