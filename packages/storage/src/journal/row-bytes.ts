/** Compact bytes of the journal's rows: numbers of 7 bits a byte, texts with their length before them. */
import { Buffer } from 'node:buffer';

/** Rows share the memory of so many bytes, since there may be tens of thousands; they are let go of together. */
const SHARED_BYTES = 32 * 1024;

/** Writes row after row; `take` gives the bytes of one. */
export class RowWriter {
  #buffer = Buffer.alloc(0);
  /** Where the row begins that is being written. */
  #from = 0;
  #at = 0;

  /** A number from 0 to 2^53 − 1. */
  number(value: number): this {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
    return this;
  }

  /** A number from 0 to 2^63 − 1. */
  big(value: bigint): this {
    if (value <= MAX_SAFE) return this.number(Number(value));
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.#buffer[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#at++] = Number(rest);
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.number(length);
    this.#reserve(length);
    this.#at += this.#buffer.write(value, this.#at);
    return this;
  }

  texts(values: readonly string[]): this {
    this.number(values.length);
    for (const value of values) this.text(value);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** The bytes so far; the writer begins anew. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return bytes;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const written = this.#at - this.#from;
    const next = Buffer.allocUnsafeSlow(Math.max(SHARED_BYTES, (written + bytes) * 2));
    this.#buffer.copy(next, 0, this.#from, this.#at);
    this.#buffer = next;
    this.#from = 0;
    this.#at = written;
  }
}

/** Every method throws `RowError` if the bytes are not what it reads. */
export class RowReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    const value = this.#varint();
    if (typeof value === 'number') return value;
    must(value <= MAX_SAFE);
    return Number(value);
  }

  big(): bigint {
    return BigInt(this.#varint());
  }

  text(): string {
    const length = this.number();
    const from = this.#at;
    must(from + length <= this.#bytes.length);
    this.#at = from + length;
    return this.#bytes.toString('utf8', from, this.#at);
  }

  texts(): readonly string[] {
    const count = this.number();
    must(count <= this.#bytes.length - this.#at);
    return count === 0 ? NONE : Array.from({ length: count }, () => this.text());
  }

  flag(): boolean {
    const value = this.number();
    must(value <= 1);
    return value === 1;
  }

  /** The next bytes as they are. */
  bytes(length: number): Buffer {
    this.skip(length);
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(length: number): void {
    this.#at += length;
    must(this.#at <= this.#bytes.length);
  }

  /** How many bytes have been read. */
  get at(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Nothing may be left. */
  end(): void {
    must(this.atEnd);
  }

  #varint(): number | bigint {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 7; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    let large = BigInt(value);
    for (let shift = 49n; shift < 64n; shift += 7n) {
      const byte = this.#byte();
      large |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        must(large < 1n << 63n);
        return large;
      }
    }
    throw new RowError();
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RowError();
    return byte;
  }
}

/** @throws {RowError} if it is not so */
export function must(right: boolean): asserts right {
  if (!right) throw new RowError();
}

/** Bytes that are no row of the journal. */
export class RowError extends Error {}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const NONE: readonly string[] = [];
