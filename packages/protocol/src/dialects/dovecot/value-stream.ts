/** Bytes behind a line: dots at the start of lines are doubled, CRLF "." CRLF ends them. */

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const LF_DOT = Buffer.from('\n.');

/** Ends a value; its first CRLF is not content, whatever the content ends in. */
export const VALUE_END: Buffer = Buffer.from('\r\n.\r\n');

/** Doubles dots of one value, chunk by chunk. */
export class DotStuffer {
  #lineStart = true;

  /** What to write for a chunk: the chunk itself where nothing is to be doubled. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (bytes.length === 0) return bytes;
    // The very first byte too: its own terminator could otherwise be a mail's content.
    const first = this.#lineStart && bytes[0] === DOT;
    this.#lineStart = bytes[bytes.length - 1] === LF;
    let at = bytes.indexOf(LF_DOT);
    if (at < 0 && !first) return bytes;
    // Room for the worst, two bytes growing to three.
    const out = Buffer.allocUnsafe(bytes.length + (bytes.length >> 1) + 1);
    let length = 0;
    if (first) out[length++] = DOT;
    let from = 0;
    for (; at >= 0; at = bytes.indexOf(LF_DOT, from)) {
      length += bytes.copy(out, length, from, at + 1);
      out[length++] = DOT;
      from = at + 1;
    }
    length += bytes.copy(out, length, from);
    return out.subarray(0, length);
  }
}

/** What one chunk gave. */
export interface Unstuffed {
  /** Content; may be empty. */
  readonly content: Buffer;
  /** What stands behind the end of the value; null if it has not ended. */
  readonly rest: Buffer | null;
}

/** Finds the end of one value and takes doubled dots back, chunk by chunk; keeps at most four bytes. */
export class DotUnstuffer {
  #kept: Buffer = Buffer.alloc(0);
  /** Nothing of the value has been passed on: a dot here is at the start of a line. */
  #first = true;

  push(chunk: Buffer): Unstuffed {
    const bytes = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    const pieces: Buffer[] = [];
    let from = 0;
    let dot = this.#first && bytes[0] === DOT ? 0 : nextDot(bytes, 0);
    while (dot >= 0) {
      const next = bytes[dot + 1];
      const after = bytes[dot + 2];
      if (next === undefined || (next === CR && after === undefined))
        return this.#keep(bytes, pieces, from, breakBefore(bytes, from, dot));
      if (next === LF || (next === CR && after === LF)) {
        pieces.push(bytes.subarray(from, breakBefore(bytes, from, dot)));
        return { content: joined(pieces), rest: bytes.subarray(dot + (next === LF ? 2 : 3)) };
      }
      pieces.push(bytes.subarray(from, dot));
      from = dot + 1;
      // What was dropped counts as passed on: the byte behind it does not start a line.
      this.#first = false;
      dot = nextDot(bytes, from);
    }
    return this.#keep(bytes, pieces, from, openBreak(bytes, from));
  }

  /** Passes on up to `end` and keeps the rest for the next chunk. */
  #keep(bytes: Buffer, pieces: Buffer[], from: number, end: number): Unstuffed {
    if (end > from) {
      pieces.push(bytes.subarray(from, end));
      this.#first = false;
    }
    this.#kept = Buffer.from(bytes.subarray(end));
    return { content: joined(pieces), rest: null };
  }
}

/** Position of the next dot that starts a line, at or behind `from`; -1 if there is none. */
function nextDot(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(LF_DOT, from);
  return at < 0 ? -1 : at + 1;
}

/** Where the line break before a dot starts. */
function breakBefore(bytes: Buffer, from: number, dot: number): number {
  if (dot <= from) return dot;
  return dot - 2 >= from && bytes[dot - 2] === CR ? dot - 2 : dot - 1;
}

/** Where a line break starts at the end of the bytes, which may yet turn out to belong to the end of the value. */
function openBreak(bytes: Buffer, from: number): number {
  const end = bytes.length;
  const last = end > from ? bytes[end - 1] : undefined;
  if (last === CR) return end - 1;
  if (last !== LF) return end;
  return end - 2 >= from && bytes[end - 2] === CR ? end - 2 : end - 1;
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces);
}
