/** Stands in a body, so that a byte of it can be changed on its way. */
export const MARK = 'HERE-A-BYTE-IS-CHANGED';

/** The same bytes with one letter of the mark changed. */
export function flip(chunk: Buffer): Buffer {
  const at = chunk.indexOf(MARK);
  if (at < 0) return chunk;
  const copy = Buffer.from(chunk);
  copy[at] = 'h'.charCodeAt(0);
  return copy;
}
