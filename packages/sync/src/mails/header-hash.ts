/**
 * Hashes of mail headers, by which mails are recognised where a side cannot be given their GUIDs
 * (docs/protocol.md, "Which mail is which").
 * Both ends have to compute the same from what each has stored.
 */
import { createHash } from 'node:crypto';

/** 1 for peers before dsync 3.4, 3 for all others; nobody uses the numbers between. */
export type HashVersion = 1 | 3;

/** 32 hexadecimal digits each. */
export interface HeaderHash {
  readonly usual: string;
  /**
   * What a Dovecot may say instead once it has the header in its cache: with one LF more, if its peer's list of headers
   * ends with an empty name; with one LF less, if the mail ends in the middle of a hashed line.
   */
  readonly others: readonly string[];
}

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;
const QUESTION = 0x3f;

/** What every mail with none of the hashed headers has: MD5 of one LF. It tells nothing of a mail. */
export const NO_HEADERS = '68b329da9893e34099c7d8ad5cb9c940';

/** The version of hashes that both ends compute, by the peer's minor version: v3 from 3.4 on, v1 before it. */
export function hashVersion(peerMinor: number): HashVersion {
  return peerMinor >= 4 ? 3 : 1;
}

/**
 * @param bytes a mail's header, or anything that begins with it
 * @param names of the hashed headers, in any case
 */
export function headerHash(bytes: Uint8Array, names: readonly string[], version: HashVersion): HeaderHash {
  const lines = hashedLines(bytes, new Set(names.map((name) => name.toLowerCase())));
  const text = Buffer.from(version === 1 ? lines : normalised(lines));
  const shorter = lines.length > 0 && headerEnd(bytes) < 0 && bytes.at(-1) !== LF ? [md5(text, '')] : [];
  return { usual: md5(text, '\n'), others: [md5(text, '\n\n'), ...shorter] };
}

/** The index behind the empty line that ends the header; -1 if it is not among these bytes. */
export function headerEnd(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(LF, at);
    if (end < 0) return -1;
    if (end === at || (end === at + 1 && bytes[at] === CR)) return end + 1;
    at = end + 1;
  }
  return -1;
}

function md5(text: Uint8Array, end: string): string {
  return createHash('md5').update(text).update(end).digest('hex');
}

/** The lines of those headers with everything folded below them, in the order of the mail, LF at every end. */
function hashedLines(bytes: Uint8Array, names: ReadonlySet<string>): number[] {
  const found: number[] = [];
  let isHashed = false;
  for (let at = 0; at < bytes.length;) {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf;
    const line = bytes.subarray(at, end > at && bytes[end - 1] === CR ? end - 1 : end);
    if (line.length === 0) break;
    if (line[0] !== SPACE && line[0] !== TAB) isHashed = names.has(nameOf(line));
    if (isHashed) {
      for (const byte of line) found.push(byte);
      found.push(LF);
    }
    at = end + 1;
  }
  return found;
}

function nameOf(line: Uint8Array): string {
  const colon = line.indexOf(COLON);
  return colon < 0 ? '' : Buffer.from(line.subarray(0, colon)).toString('latin1').trimEnd().toLowerCase();
}

/** No spaces; one `?` for every run of bytes that a mail server may have changed on the way. */
function normalised(lines: readonly number[]): number[] {
  const out: number[] = [];
  let inRun = false;
  for (const byte of lines) {
    const isDoubtful = (byte < SPACE && byte !== LF && byte !== TAB) || byte >= 0x7f || byte === QUESTION;
    if (isDoubtful ? !inRun : byte !== SPACE) out.push(isDoubtful ? QUESTION : byte);
    inRun = isDoubtful;
  }
  return out;
}
