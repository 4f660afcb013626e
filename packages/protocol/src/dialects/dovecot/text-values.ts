/** How each type of field is written on Dovecot's wire, before the line's own escaping. Numbers are strict. */
import { tabEscape, tabUnescape } from '../../doveadm/tab-escape.ts';
import { ProtocolError } from '../../errors.ts';
import type { FieldType, FieldTypes } from '../../fields.ts';
import { MAX_LIST, MAX_NAME_PART, MAX_PATH_PARTS, MAX_TIMED_HASHES } from '../../limits.ts';
import { isMailboxGuid, isUid } from '../../vocabulary.ts';

/** How one type of field is written and read. */
export interface TextCodec<T> {
  /** @throws {ProtocolError} `BadValue` for what a Dovecot would choke on */
  print(value: T): string;
  /** @throws {ProtocolError} `BadValue` or `LimitExceeded` */
  parse(text: string): T;
}

const U64 = 0xffffffffffffffffn;

function bad(what: string): ProtocolError {
  return new ProtocolError('BadValue', `not ${what}`);
}

function long(size: number, max: number): ProtocolError {
  return new ProtocolError('LimitExceeded', `list of ${size}, at most ${max} allowed`);
}

function wide(text: string, hex: boolean): bigint {
  const form = hex ? /^[0-9a-f]{1,16}$/ : /^\d{1,20}$/;
  if (!form.test(text)) throw bad('a number');
  const value = BigInt(hex ? `0x${text}` : text);
  if (value > U64) throw bad('a number of 64 bits');
  return value;
}

function whole(text: string, max: number, hex = false): number {
  const value = wide(text, hex);
  if (value > BigInt(max)) throw bad(`a number up to ${max}`);
  return Number(value);
}

function printWhole(value: number, max: number, base = 10): string {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) throw bad(`a number up to ${max}`);
  return value.toString(base);
}

function printWide(value: bigint, base: number): string {
  if (value < 0n || value > U64) throw bad('a number of 64 bits');
  return value.toString(base);
}

const plain: TextCodec<string> = { print: (value) => value, parse: (text) => text };

/** Elements escaped, joined by TAB; the line escapes that once more. */
function printList(list: readonly string[]): string {
  if (list.includes('')) throw bad('a list without empty elements');
  return list.map(tabEscape).join('\t');
}

function splitList(text: string, max: number): string[] {
  if (text === '') return [];
  const items = text.split('\t');
  if (items.length > max) throw long(items.length, max);
  return items.map(tabUnescape);
}

const textList: TextCodec<readonly string[]> = {
  print: printList,
  // Dovecot masters end hashed_headers with a TAB.
  parse: (text) => splitList(text, MAX_LIST).filter((item) => item !== ''),
};

function checkPath(path: readonly string[]): readonly string[] {
  if (path.length === 0 || path.includes('')) throw bad('a mailbox name');
  if (path.some((part) => part.length > MAX_NAME_PART))
    throw new ProtocolError('LimitExceeded', 'mailbox name too long');
  return path;
}

function letters<T extends string>(known: readonly T[], otherwise?: T): TextCodec<T> {
  return {
    print: (value) => value,
    parse(text) {
      const found = known.find((letter) => letter === text) ?? otherwise;
      if (found === undefined) throw bad(`one of ${known.join(' ')}`);
      return found;
    },
  };
}

function number(max: number, base: 10 | 16 = 10): TextCodec<number> {
  return { print: (value) => printWhole(value, max, base), parse: (text) => whole(text, max, base === 16) };
}

const u32 = number(0xffffffff);
const seconds = number(Number.MAX_SAFE_INTEGER);
const HASH = /^[0-9a-f]{32}$/;

const timedHashes: TextCodec<FieldTypes['timedHashes']> = {
  print: (value) => value.map(({ hash, time }) => `${hash} ${seconds.print(time)}`).join(' '),
  parse(text) {
    if (text === '') return [];
    const words = text.split(' ');
    if (words.length / 2 > MAX_TIMED_HASHES) throw long(words.length / 2, MAX_TIMED_HASHES);
    if (words.length % 2 !== 0) throw bad('pairs of hash and time');
    return Array.from({ length: words.length / 2 }, (_, i) => {
      const hash = words[2 * i] ?? '';
      if (!HASH.test(hash)) throw bad('32 hexadecimal digits');
      return { hash, time: seconds.parse(words[2 * i + 1] ?? '') };
    });
  },
};

/** One codec for each type of field. */
export const TEXT_VALUES: { readonly [T in FieldType]: TextCodec<FieldTypes[T]> } = {
  text: plain,
  textList,
  lines: {
    print(value) {
      if (value.length === 0 || value.some((line) => line.includes('\n'))) throw bad('a list of lines');
      return value.join('\n');
    },
    parse: (text) => text.split('\n'),
  },
  flag: { print: () => '', parse: () => true },
  u32,
  u32List: {
    print: (value) => value.map((one) => u32.print(one)).join(' '),
    parse: (text) => text.split(' ').map((one) => u32.parse(one)),
  },
  u64: { print: (value) => printWide(value, 10), parse: (text) => wide(text, false) },
  hex64: { print: (value) => printWide(value, 16), parse: (text) => wide(text, true) },
  hex8: number(0xff, 16),
  seconds,
  uid: {
    print(value) {
      if (!isUid(value)) throw bad('a UID');
      return String(value);
    },
    parse(text) {
      const value = whole(text, 0xffffffff);
      if (!isUid(value)) throw bad('a UID');
      return value;
    },
  },
  mailboxGuid: {
    print(value) {
      if (!isMailboxGuid(value)) throw bad('a mailbox GUID');
      return value;
    },
    parse(text) {
      if (!isMailboxGuid(text)) throw bad('a mailbox GUID');
      return text;
    },
  },
  path: {
    print: (value) => printList(checkPath(value)),
    parse: (text) => checkPath(splitList(text, MAX_PATH_PARTS)),
  },
  timedHashes,
  // Dovecot reads an unknown letter as a name that does not exist.
  existence: letters(['y', 'n', 'd'], 'n'),
  changeType: letters(['s', 'f', 'e']),
  attributeType: letters(['p', 's']),
  algorithm: letters(['f', 'c', 's']),
};
