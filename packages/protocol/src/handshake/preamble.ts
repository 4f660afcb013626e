/**
 * The opening that both ends write at once: Dovecot's dsync 3.x header in text, with one private line that a Dovecot
 * skips and that offers the native dialect and its named features (docs/protocol.md, "The opening").
 */
import { ProtocolError } from '../errors.ts';
import { MAX_FEATURES, MAX_PREAMBLE, MAX_PREAMBLE_LINE, MAX_PREAMBLE_LINES } from '../limits.ts';
import { MESSAGES, type Kind, type MessageSpec } from '../table.ts';
import { oneLine } from '../text.ts';

/** The dsync 3.x minor that we speak in text. */
export const OUR_MINOR = 5;

/** First byte of the private line; no Dovecot item can ever be named so. */
const PRIVATE = '@dsync';

/** The native dialect's layout. Another number is another dialect; everything smaller is a named feature. */
export const NATIVE_LAYOUT = '1';

/** In the place of the layout: we are no Dovecot, but want text. */
const TEXT_ONLY = '0';

const FEATURE = /^[a-z0-9][a-z0-9=._-]{0,63}$/;

/** Dovecot's order of header lines. */
const HEADER_ORDER: readonly (Kind | 'cacheField')[] = [
  'handshake',
  'mailboxState',
  'treeNode',
  'mailboxDelete',
  'mailbox',
  'attribute',
  'mailChange',
  'mailRequest',
  'mail',
  'finish',
  'cacheField',
];

/** A line inside of a mailbox's `cache_fields`, never an item of its own; a Dovecot wants its header all the same. */
const CACHE_FIELD = {
  code: 'c',
  since: 0,
  required: ['name', 'decision'],
  all: ['name', 'decision', 'last_used'],
} as const;

interface Header {
  readonly code: string;
  readonly since: number;
  readonly required: readonly string[];
  readonly all: readonly string[];
}

/** Names of a message's fields in Dovecot's dialect, in the order in which Dovecot sends them. */
function headerOf(kind: Kind | 'cacheField'): Header {
  if (kind === 'cacheField') return CACHE_FIELD;
  const spec: MessageSpec = MESSAGES[kind];
  const required = Object.values(spec.required).map((f) => f.wire);
  const optional = Object.values(spec.optional)
    .filter((f) => f.native !== true)
    .map((f) => f.wire);
  return { code: spec.code, since: spec.since, required, all: [...required, ...optional] };
}

const HEADERS: readonly Header[] = HEADER_ORDER.map(headerOf);

/** What a peer's opening said. */
export interface Preamble {
  /** dsync 3.x minor. */
  readonly minor: number;
  /** Names of the sender's fields in its own order, by item letter. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** What the private line offers; null if there was none that we understand. */
  readonly native: ReadonlySet<string> | null;
  /** A private line came, whatever it offers: the peer is no Dovecot. */
  readonly ours: boolean;
}

/**
 * Our own opening.
 * @param native features of the native dialect; null does not offer it
 * @throws {ProtocolError} `BadValue` for a feature that is no feature's name
 */
export function printPreamble(native: Iterable<string> | null): Buffer {
  const lines = [`VERSION\tdsync\t3\t${OUR_MINOR}`, ...HEADERS.map((h) => h.code + h.all.join('\t'))];
  if (native !== null) {
    const features = [...native];
    const bad = features.find((name) => !FEATURE.test(name));
    if (bad !== undefined) throw new ProtocolError('BadValue', `not the name of a feature: ${oneLine(bad)}`);
    lines.push([PRIVATE, NATIVE_LAYOUT, ...features].join('\t'));
  } else lines.push(`${PRIVATE}\t${TEXT_ONLY}`);
  return Buffer.from(`${lines.join('\n')}\n.\n`);
}

/** Reads an opening line by line, and not a byte further. */
export class PreambleReader {
  #kept: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #lines = 0;
  #minor = -1;
  readonly #headers = new Map<string, readonly string[]>();
  #native: Set<string> | null = null;
  #ours = false;

  /** True when anything arrived that has not made a whole opening. */
  get begun(): boolean {
    return this.#bytes > 0;
  }

  /**
   * @returns the opening and the bytes behind it, or null while it is not complete
   * @throws {ProtocolError} `Garbage` for what is no dsync, `Incompatible` for a dsync that we do not speak, `LimitExceeded`
   */
  push(chunk: Buffer): { readonly preamble: Preamble; readonly rest: Buffer } | null {
    let bytes = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    for (;;) {
      const end = bytes.indexOf(0x0a);
      const length = end < 0 ? bytes.length : end;
      if (length > MAX_PREAMBLE_LINE) throw tooLong('line');
      if (end < 0) break;
      this.#bytes += end + 1;
      if (this.#bytes > MAX_PREAMBLE || ++this.#lines > MAX_PREAMBLE_LINES) throw tooLong('header');
      const line = bytes.toString('utf8', 0, end > 0 && bytes[end - 1] === 0x0d ? end - 1 : end);
      bytes = bytes.subarray(end + 1);
      if (line === '.' && this.#minor >= 0) return { preamble: this.#finish(), rest: bytes };
      this.#line(line);
    }
    if (this.#minor < 0 && bytes.length > 0 && !'VERSION\tdsync\t'.startsWith(bytes.toString('latin1', 0, 14)))
      throw notDsync(bytes.toString('latin1'));
    this.#kept = bytes;
    return null;
  }

  #line(line: string): void {
    if (this.#minor < 0) {
      this.#minor = parseVersion(line);
      return;
    }
    const letter = line.slice(0, 1);
    if (line.startsWith(`${PRIVATE}\t`)) this.#ours = true;
    if (HEADERS.some((h) => h.code === letter)) this.#headers.set(letter, line.slice(1).split('\t'));
    else if (line.startsWith(`${PRIVATE}\t${NATIVE_LAYOUT}\t`) || line === `${PRIVATE}\t${NATIVE_LAYOUT}`)
      this.#native = parseFeatures(line);
  }

  #finish(): Preamble {
    for (const { code, since, required } of HEADERS) {
      const names = this.#headers.get(code);
      if (names === undefined) {
        if (this.#minor < since) continue;
        throw new ProtocolError('Incompatible', `the peer's header lacks item ${code}`);
      }
      const missing = required.find((name) => !names.includes(name));
      if (missing !== undefined)
        throw new ProtocolError('Incompatible', `the peer's item ${code} lacks field ${missing}`);
    }
    return { minor: this.#minor, headers: this.#headers, native: this.#native, ours: this.#ours };
  }
}

/** Minor of `VERSION⇥dsync⇥3⇥minor`; any minor is accepted, as by every Dovecot. */
function parseVersion(line: string): number {
  const [word, service, major, minor, ...more] = line.split('\t');
  if (word !== 'VERSION' || service !== 'dsync' || major === undefined || minor === undefined || more.length > 0)
    throw notDsync(line);
  if (major !== '3') throw new ProtocolError('Incompatible', `the peer speaks dsync ${oneLine(major, 20)}, we speak 3`);
  if (!/^\d{1,9}$/.test(minor)) throw notDsync(line);
  return Number(minor);
}

/** Names that are no features are for somebody else: skipped. */
function parseFeatures(line: string): Set<string> {
  const names = line.split('\t').slice(2);
  if (names.length > MAX_FEATURES) throw tooLong('list of features');
  return new Set(names.filter((name) => FEATURE.test(name)));
}

function notDsync(text: string): ProtocolError {
  return new ProtocolError('Garbage', `the peer does not speak dsync: ${JSON.stringify(oneLine(text, 60))}`);
}

function tooLong(what: string): ProtocolError {
  return new ProtocolError('LimitExceeded', `the peer's opening is too long (${what})`);
}
