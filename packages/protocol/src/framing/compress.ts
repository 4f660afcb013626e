import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';

import { ProtocolError } from '../errors.ts';
import { counted } from '../text.ts';

const OPTIONS = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 18 },
} as const;

/** Packs bytes with brotli at quality 1: on real mail faster and smaller than deflate's fastest. */
export function deflate(bytes: Uint8Array): Buffer {
  return brotliCompressSync(bytes, OPTIONS);
}

/**
 * Unpacks exactly `size` bytes; never produces more.
 * @throws {ProtocolError} `Garbage` if the bytes are no brotli stream or unpack to another size
 */
export function inflate(packed: Uint8Array, size: number): Buffer {
  let bytes: Buffer;
  try {
    bytes = brotliDecompressSync(packed, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    throw new ProtocolError('Garbage', 'compressed frame cannot be unpacked', { cause });
  }
  if (bytes.length !== size)
    throw new ProtocolError('Garbage', `compressed frame has ${counted(bytes.length, 'byte')}, announced were ${size}`);
  return bytes;
}
