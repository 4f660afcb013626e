/**
 * Mails that a Dovecot has written compressed (`zlib_save`, `mail_compress_write_method`) or encrypted (mail-crypt). They are
 * known by their first bytes, with which no mail begins.
 */
import { pipeline, Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';

import { StoreError } from '../errors.ts';
import { sizeIn } from './file-name.ts';

const GZIP = '1f8b';
const UNREADABLE: readonly (readonly [form: string, hex: RegExp])[] = [
  ['compressed (bzip2)', /^425a683[1-9]314159265359/],
  ['compressed (zstd)', /^28b52ffd/],
  // "Dovecot-LZ4" and "CRYPTED".
  ['compressed (lz4)', /^446f7665636f742d4c5a34/],
  ['encrypted (mail-crypt)', /^435259505445440307/],
];
/** Bytes at the beginning that tell. */
const LONGEST = 16;
/** The last bytes of what gzip makes: the size that it had before. */
const TRAILER = 4;

/** Reads so many bytes of a file. */
export type ReadAt = (position: number, length: number) => Buffer;

/**
 * Whether a mail's file is to be unpacked. Two bytes tell little, so the name has to give the size that gzip notes.
 * @throws {StoreError} `Temporary` for a form that cannot be read: its bytes are not to be taken for the mail
 */
export function mustUnpack(path: string, base: string, fileSize: number, read: ReadAt): boolean {
  const start = read(0, LONGEST).toString('hex');
  if (start.startsWith(GZIP)) {
    const size = sizeIn(base, 'S');
    return size !== null && fileSize > LONGEST && read(fileSize - TRAILER, TRAILER).readUInt32LE(0) === size % 2 ** 32;
  }
  const form = UNREADABLE.find(([, hex]) => hex.test(start))?.[0];
  if (form === undefined) return false;
  throw new StoreError('Temporary', `${path} is ${form}, which dsync cannot read`);
}

/** The mail itself, piece by piece. @throws {StoreError} when it is damaged; what `packed` throws */
export async function* unpacked(packed: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  // Its failures are those of what is read from it.
  const gunzip = pipeline(Readable.from(packed, { objectMode: false }), createGunzip(), () => {});
  try {
    for await (const piece of gunzip) yield piece;
  } catch (cause) {
    throw StoreError.from(cause, `cannot unpack ${path}`);
  }
}

/** All of it at once. @throws {StoreError} when it is damaged */
export function unpackWhole(packed: Uint8Array, path: string): Uint8Array {
  try {
    return gunzipSync(packed);
  } catch (cause) {
    throw StoreError.from(cause, `cannot unpack ${path}`);
  }
}
