/**
 * Names of mail files: `<base>[,S=<bytes>][,W=<bytes with CRLF>][:2,<flags>[,<more>]]`.
 * The base name runs up to the first `:` and includes the sizes; the info part follows the last `:`.
 */
import { FLAG } from '@dsync/protocol';

/** Flag letters in the order in which they are written. `P` (passed) has no meaning to us and is kept. */
const LETTERS = [
  ['D', FLAG.draft],
  ['F', FLAG.flagged],
  ['R', FLAG.answered],
  ['S', FLAG.seen],
  ['T', FLAG.deleted],
] as const;
const FLAG_OF: ReadonlyMap<string, number> = new Map(LETTERS);

/** A file name taken apart. */
export interface FileName {
  readonly base: string;
  /** Bits of FLAG. */
  readonly flags: number;
  /** Keyword letters `a`…`z` as they stand. */
  readonly keywordLetters: string;
  /** What is kept as it is when flags change: unknown letters, and from a second comma on. */
  readonly otherLetters: string;
  readonly more: string;
  readonly hasInfo: boolean;
}

/** null: not a mail for anybody (hidden, or with a line end in it, which a uidlist cannot hold). */
export function parseBase(name: string): string | null {
  const first = name.codePointAt(0);
  if (first === undefined || first === 0x2e || first === 0x3a || /[\r\n\ufffd]/.test(name)) return null;
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(0, colon);
}

/** The base name of a mail at `cur/…` or `new/…`. */
export function baseAt(at: string): string {
  const colon = at.indexOf(':');
  return at.slice(4, colon < 0 ? undefined : colon);
}

/** null: not a mail for anybody. */
export function parseFileName(name: string): FileName | null {
  const base = parseBase(name);
  if (base === null) return null;
  if (base === name) return { base, flags: 0, keywordLetters: '', otherLetters: '', more: '', hasInfo: false };
  const info = name.slice(name.lastIndexOf(':') + 1);
  if (!info.startsWith('2,')) return { base, flags: 0, keywordLetters: '', otherLetters: '', more: '', hasInfo: false };
  return parseInfo(base, info.slice(2));
}

function parseInfo(base: string, info: string): FileName {
  const comma = info.indexOf(',');
  const letters = comma < 0 ? info : info.slice(0, comma);
  let flags = 0;
  let keywordLetters = '';
  let otherLetters = '';
  for (const letter of letters) {
    const flag = FLAG_OF.get(letter);
    if (flag !== undefined) flags |= flag;
    else if (letter >= 'a' && letter <= 'z') keywordLetters += letter;
    else otherLetters += letter;
  }
  return { base, flags, keywordLetters, otherLetters, more: comma < 0 ? '' : info.slice(comma), hasInfo: true };
}

/** The whole name, always with an info part. `kept` is what the present name has besides. */
export function printFileName(
  base: string,
  flags: number,
  keywordLetters: string,
  kept?: { readonly otherLetters: string; readonly more: string },
): string {
  let letters = kept?.otherLetters ?? '';
  for (const [letter, bit] of LETTERS) if ((flags & bit) !== 0) letters += letter;
  if (letters.length > 1) letters = Array.from(letters).toSorted().join('');
  return `${base}:2,${letters}${keywordLetters}${kept?.more ?? ''}`;
}

/** A size in a base name; null if there is none that counts (the number must be followed by `,` or the end). */
export function sizeIn(base: string, key: 'S' | 'W'): number | null {
  const match = (key === 'S' ? PHYSICAL : VIRTUAL).exec(base);
  return match === null ? null : Number(match[1]);
}

const PHYSICAL = /,S=(\d{1,15})(?=,|$)/;
const VIRTUAL = /,W=(\d{1,15})(?=,|$)/;

/** Whether a mail's GUID can be its base name, so that the uidlist needs no field `G` for it. Its sizes must be true. */
export function canBeBase(guid: string, physicalSize: number, virtualSize: number): boolean {
  return (
    guid.length <= MAX_BASE &&
    USABLE.test(guid) &&
    sizeIn(guid, 'S') === physicalSize &&
    sizeIn(guid, 'W') === virtualSize
  );
}

/** Room for the info part and for what names in tmp/ carry besides, below the 255 bytes that file systems allow. */
const MAX_BASE = 140;
const USABLE = /^[A-Za-z0-9_$=][A-Za-z0-9\-._$=,+@%]*$/;

/** A new base name as Dovecot makes them: `<secs>.M<usecs>P<pid>.<host>,S=<bytes>,W=<bytes>`. */
export function makeBase(unique: BaseClock, physicalSize: number, virtualSize: number): string {
  const { seconds, microseconds } = unique.next();
  return `${seconds}.M${microseconds}P${process.pid}.${unique.host},S=${physicalSize},W=${virtualSize}`;
}

/** Hands out a new microsecond every time, so that no two names of one process are equal. */
export class BaseClock {
  readonly host: string;
  readonly #now: () => number;
  #last = 0;

  /** @param now Unix seconds, with fraction */
  constructor(host: string, now: () => number) {
    // The two characters that a name cannot hold are written as other Maildir writers do.
    this.host =
      host
        .replaceAll('/', '\\057')
        .replaceAll(':', '\\072')
        .replace(/[^\u0021-\u007e]|,/g, '_')
        .slice(0, 40) || 'localhost';
    this.#now = now;
  }

  next(): { readonly seconds: number; readonly microseconds: number } {
    const time = Math.max(Math.floor(this.#now() * 1e6), this.#last + 1);
    this.#last = time;
    return { seconds: Math.floor(time / 1e6), microseconds: time % 1e6 };
  }
}

/** Order in which mails that nobody has numbered get their UIDs, Dovecot's: by seconds, microseconds, name. */
export function compareArrival(a: string, b: string): number {
  const [x, y] = [arrival(a), arrival(b)];
  return x.seconds - y.seconds || x.microseconds - y.microseconds || (a < b ? -1 : a > b ? 1 : 0);
}

function arrival(base: string): { seconds: number; microseconds: number } {
  const match = /^(\d{1,15})\.(?:[^.]*?M(\d{1,9}))?/.exec(base);
  return { seconds: Number(match?.[1] ?? 0), microseconds: Number(match?.[2] ?? 0) };
}
