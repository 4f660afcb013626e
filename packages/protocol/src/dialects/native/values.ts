/**
 * How each type of field is written in the native dialect, and the check that every value passes on its way in and out.
 * A value is packed to something that msgpack has: whole numbers, text, raw bytes, lists of these.
 */
import { ProtocolError } from '../../errors.ts';
import type { FieldType, FieldTypes, TimedHash } from '../../fields.ts';
import { MAX_LIST, MAX_NAME_PART, MAX_PATH_PARTS, MAX_TEXT, MAX_TIMED_HASHES } from '../../limits.ts';
import { isMailboxGuid, isUid } from '../../vocabulary.ts';

/** What msgpack carries for us. */
export type Packed = number | bigint | string | true | null | Uint8Array | readonly Packed[];

/** How one type of field is packed and unpacked. */
export interface ValueCodec<T> {
  /** @throws {ProtocolError} `BadValue` or `LimitExceeded`: we never send what a peer must refuse */
  pack(value: T): Packed;
  /** @throws {ProtocolError} `BadValue` or `LimitExceeded` */
  unpack(packed: unknown): T;
  /** About how many bytes the packed value takes. */
  size(value: T): number;
}

/** Half a character: has no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const U32 = 0xffffffff;
const U64 = 0xffffffffffffffffn;

function bad(what: string): ProtocolError {
  return new ProtocolError('BadValue', `not ${what}`);
}

function long(what: string, size: number, max: number): ProtocolError {
  return new ProtocolError('LimitExceeded', `${what} of ${size}, at most ${max} allowed`);
}

function text(value: unknown, max: number): string {
  if (typeof value !== 'string') throw bad('text');
  // UTF-8 takes one to three bytes per UTF-16 unit: count only where it matters.
  if (value.length * 3 > max) {
    const bytes = value.length > max ? value.length : Buffer.byteLength(value);
    if (bytes > max) throw long('text', bytes, max);
  }
  if (LONE_SURROGATE.test(value)) throw bad('text in UTF-8');
  return value;
}

function list<T>(value: unknown, max: number, item: (v: unknown) => T): T[] {
  if (!Array.isArray(value)) throw bad('a list');
  if (value.length > max) throw long('list', value.length, max);
  return value.map(item);
}

function whole(value: unknown, max: number, what: string): number {
  const n = typeof value === 'bigint' ? Number(value) : value;
  if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0 || n > max) throw bad(what);
  return n;
}

function wide(value: unknown): bigint {
  const n = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof n !== 'bigint' || n < 0n || n > U64) throw bad('a number of 64 bits');
  return n;
}

/** msgpackr writes numbers above 2^32 as floating point; as `bigint` they stay whole. */
const packWhole = (n: number): Packed => (n > U32 ? BigInt(n) : n);
const packWide = (n: bigint): Packed => (n <= U32 ? Number(n) : n);

function oneOf<T extends string>(letters: readonly T[]): ValueCodec<T> {
  const check = (value: unknown): T => {
    const found = letters.find((letter) => letter === value);
    if (found === undefined) throw bad(`one of ${letters.join(' ')}`);
    return found;
  };
  return { pack: check, unpack: check, size: () => 2 };
}

function same<T extends Packed>(check: (value: unknown) => T, size: (value: T) => number): ValueCodec<T> {
  return { pack: check, unpack: check, size };
}

const HASH = /^[0-9a-f]{32}$/;

function packHash(hash: string): Packed {
  if (!HASH.test(hash)) throw bad('32 hexadecimal digits');
  return Buffer.from(hash, 'hex');
}

function unpackHash(packed: unknown): string {
  if (!(packed instanceof Uint8Array) || packed.length !== 16) throw bad('16 bytes');
  return Buffer.from(packed.buffer, packed.byteOffset, 16).toString('hex');
}

const texts = (max: number, each: number) => (value: unknown) => list(value, max, (item) => text(item, each));
const sizeOfTexts = (value: readonly string[]): number => value.reduce((sum, item) => sum + item.length + 3, 5);
const seconds = (value: unknown): number => whole(value, Number.MAX_SAFE_INTEGER, 'a time in seconds');
const textList: ValueCodec<readonly string[]> = same(texts(MAX_LIST, MAX_TEXT), sizeOfTexts);
const u64: ValueCodec<bigint> = { pack: (value) => packWide(wide(value)), unpack: wide, size: () => 9 };

function checkPath(value: unknown): readonly string[] {
  const parts = texts(MAX_PATH_PARTS, MAX_NAME_PART)(value);
  if (parts.length === 0 || parts.includes('')) throw bad('a mailbox name');
  return parts;
}

const timedHashes: ValueCodec<readonly TimedHash[]> = {
  pack(value) {
    if (value.length > MAX_TIMED_HASHES) throw long('list', value.length, MAX_TIMED_HASHES);
    return value.flatMap(({ hash, time }) => [packHash(hash), packWhole(seconds(time))]);
  },
  unpack(packed) {
    const flat = list(packed, MAX_TIMED_HASHES * 2, (item) => item);
    if (flat.length % 2 !== 0) throw bad('pairs of hash and time');
    const pairs: TimedHash[] = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push({ hash: unpackHash(flat[i]), time: seconds(flat[i + 1]) });
    return pairs;
  },
  size: (value) => value.length * 24 + 5,
};

/** One codec for each type of field. */
export const VALUES: { readonly [T in FieldType]: ValueCodec<FieldTypes[T]> } = {
  text: same(
    (value) => text(value, MAX_TEXT),
    (value) => value.length + 3,
  ),
  textList,
  lines: textList,
  flag: same(
    (value) => {
      if (value !== true) throw bad('true');
      return true;
    },
    () => 1,
  ),
  u32: same(
    (value) => whole(value, U32, 'a number of 32 bits'),
    () => 5,
  ),
  u32List: same(
    (value) => list(value, MAX_LIST, (item) => whole(item, U32, 'a number of 32 bits')),
    (value) => value.length * 5 + 5,
  ),
  u64,
  hex64: u64,
  hex8: same(
    (value) => whole(value, 0xff, 'a number of 8 bits'),
    () => 2,
  ),
  seconds: { pack: (value) => packWhole(seconds(value)), unpack: seconds, size: () => 9 },
  uid: {
    pack(value) {
      if (!isUid(value)) throw bad('a UID');
      return value;
    },
    unpack(packed) {
      if (typeof packed !== 'number' || !isUid(packed)) throw bad('a UID');
      return packed;
    },
    size: () => 5,
  },
  mailboxGuid: {
    pack(value) {
      if (!isMailboxGuid(value)) throw bad('a mailbox GUID');
      return Buffer.from(value, 'hex');
    },
    unpack(packed) {
      const hex = unpackHash(packed);
      if (!isMailboxGuid(hex)) throw bad('a mailbox GUID');
      return hex;
    },
    size: () => 18,
  },
  path: same(checkPath, sizeOfTexts),
  timedHashes,
  existence: oneOf(['y', 'n', 'd']),
  changeType: oneOf(['s', 'f', 'e']),
  attributeType: oneOf(['p', 's']),
  algorithm: oneOf(['f', 'c', 's']),
};
