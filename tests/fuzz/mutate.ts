/** Makes new inputs of known ones: bytes, lines and frames are changed, left out, repeated and exchanged. */
import type { Random } from './random.ts';

/** Longest input that is made. */
export const MAX_LENGTH = 200_000;

/** Texts and numbers that mean something to one of the readers, or just go past what it can hold. */
const TOKENS: readonly Buffer[] = [
  ...[
    '\n',
    '\r\n',
    '\t',
    '\u0001',
    '\u00010',
    '\u00011',
    '\u0001t',
    '\u0002',
    '\n.\n',
    '\r\n.\r\n',
    '\n..',
    '.',
    '%',
    '&-',
  ],
  ...['VERSION\tdsync\t3\t2\n', 'VERSION\tdoveadm-server\t1\t4\n', 'PLAIN\t', '+\n', '-\n', '\n+\n', 'X\tnative\t1'],
  ...['4294967295', '4294967296', '-1', '0', '18446744073709551615', '18446744073709551616', '99999999999999999999'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '../',
    '/',
    '..',
    'INBOX',
    '\ud800',
    '\ufffd',
    '%{user | ',
    '$SET:',
    '{',
    '}',
    '=',
  ],
].map((text) => Buffer.from(text));

const NUMBERS = [
  0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

/** Where a grammar has its joints. */
export interface Joints {
  readonly split: (bytes: Buffer) => readonly Buffer[];
  readonly join: (parts: readonly Buffer[]) => Buffer;
}

const LINES: Joints = { split: lines, join: (parts) => Buffer.concat(parts) };

/** A new input: one or several changes to one of `seeds`, now and then pure noise. */
export function mutate(seeds: readonly Buffer[], random: Random, joints: Joints = LINES): Buffer {
  if (seeds.length === 0 || random.chance(25)) return random.bytes(random.below(random.chance(8) ? 5000 : 200));
  let bytes: Buffer = Buffer.from(random.pick(seeds));
  for (let times = 1 + random.below(random.chance(4) ? 12 : 3); times > 0; times--) {
    bytes = random.chance(2) ? changeBytes(bytes, random) : changeParts(bytes, random, random.pick(seeds), joints);
    if (bytes.length > MAX_LENGTH) bytes = bytes.subarray(0, MAX_LENGTH);
  }
  return bytes;
}

function changeBytes(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(random.chance(3) ? 100 : 5);
  const before = bytes.subarray(0, at);
  switch (random.below(8)) {
    case 0:
      if (bytes.length > 0) flip(bytes, random);
      return bytes;
    case 1:
      return Buffer.concat([before, random.bytes(length), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([before, random.bytes(length), bytes.subarray(at + length)]);
    case 4:
      return Buffer.concat([before, random.pick(TOKENS), bytes.subarray(random.chance(2) ? at : at + length)]);
    case 5:
      return withNumber(bytes, at, random);
    case 6:
      return Buffer.concat([
        before,
        ...Array<Buffer>(1 + random.below(30)).fill(bytes.subarray(at, at + length)),
        bytes.subarray(at),
      ]);
    default:
      return before;
  }
}

function flip(bytes: Buffer, random: Random): void {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
}

function withNumber(bytes: Buffer, at: number, random: Random): Buffer {
  const value = random.pick(NUMBERS);
  if (at + 4 <= bytes.length) {
    if (random.chance(2)) bytes.writeUInt32BE(value, at);
    else bytes.writeUInt32LE(value, at);
  } else if (at < bytes.length) bytes[at] = value & 0xff;
  return bytes;
}

/** Leaves out, repeats, exchanges or changes some of the parts, or puts in some of another input. */
function changeParts(bytes: Buffer, random: Random, other: Buffer, { split, join }: Joints): Buffer {
  const list = [...split(bytes)];
  const at = random.below(list.length + 1);
  const count = 1 + random.below(3);
  switch (random.below(5)) {
    case 0:
      list.splice(at, count);
      break;
    case 1:
      list.splice(at, 0, ...list.slice(at, at + count));
      break;
    case 2:
      list.splice(random.below(list.length + 1), 0, ...list.splice(at, count));
      break;
    case 3: {
      const from = split(other);
      const start = random.below(from.length + 1);
      list.splice(at, random.below(2), ...from.slice(start, start + count));
      break;
    }
    default: {
      const chosen = list[at];
      if (chosen !== undefined) list[at] = changeBytes(Buffer.from(chosen), random);
    }
  }
  return join(list);
}

function lines(bytes: Buffer): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    const next = end < 0 ? bytes.length : end + 1;
    list.push(bytes.subarray(at, next));
    at = next;
  }
  return list;
}
