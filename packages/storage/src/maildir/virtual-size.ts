/** Counts a mail's bytes, and its bytes if every line ended in CRLF (RFC822.SIZE). Feed it the mail piece by piece. */
export class SizeCounter {
  physical = 0;
  #bareLineFeeds = 0;
  #lastIsCr = false;

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = buffer.indexOf(LF); at >= 0; at = buffer.indexOf(LF, at + 1)) {
      if (at === 0 ? !this.#lastIsCr : buffer[at - 1] !== CR) this.#bareLineFeeds++;
    }
    this.physical += buffer.length;
    this.#lastIsCr = buffer[buffer.length - 1] === CR;
  }

  get virtual(): number {
    return this.physical + this.#bareLineFeeds;
  }
}

const LF = 0x0a;
const CR = 0x0d;
