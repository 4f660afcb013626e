import { isUtf8 } from 'node:buffer';

/** First of the 128 code points that stand for bytes which are no UTF-8. */
const STRAY = 0xdc00;

// oxlint-disable-next-line no-control-regex -- all of ASCII
const ASCII = /^[\u0000-\u007f]*$/;
const STRAYS = /\p{Surrogate}/u;

/**
 * Text of bytes, one byte for each unit of `bytes`. GUIDs and names can be any bytes in old stores: what is no UTF-8 is
 * kept as half characters (U+DC80 … U+DCFF), which `encodeText` turns back into the same bytes.
 */
export function decodeText(bytes: string): string {
  if (ASCII.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, 'latin1');
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length;) {
    const length = charLength(buffer, at);
    text += length === 0 ? String.fromCharCode(STRAY + (buffer[at] ?? 0)) : buffer.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the character that starts here, 0 if none does. */
function charLength(buffer: Buffer, at: number): number {
  if ((buffer[at] ?? 0) < 0x80) return 1;
  for (let length = 2; length <= 4; length++) {
    if (at + length <= buffer.length && isUtf8(buffer.subarray(at, at + length))) return length;
  }
  return 0;
}

/** Bytes of text, with the stray bytes of `decodeText` restored. */
export function encodeText(text: string): Buffer {
  if (!STRAYS.test(text)) return Buffer.from(text, 'utf8');
  const parts = Array.from(text, (c) => {
    const code = c.charCodeAt(0);
    return c.length === 1 && code >= STRAY + 0x80 && code <= STRAY + 0xff
      ? Buffer.of(code - STRAY)
      : Buffer.from(c, 'utf8');
  });
  return Buffer.concat(parts);
}
