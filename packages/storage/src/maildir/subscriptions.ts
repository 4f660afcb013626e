/**
 * The `subscriptions` file in both of its versions: 1 has a name with the storage separator on each line, 2 begins with
 * `V<TAB>2` and an empty line and has escaped parts joined by TAB. A Dovecot keeps the version of an existing file.
 */
import { tabEscape, type MailboxPath } from '@dsync/protocol';

import { decodeMutf7, encodeMutf7 } from './mutf7.ts';

/** The contents of the file. */
export interface Subscriptions {
  readonly version: 1 | 2;
  readonly paths: readonly MailboxPath[];
  /** Lines that are no name we can read; kept when the file is written. */
  readonly unreadable: readonly string[];
}

const HEADER = 'V\t2';

/** @param separator the storage separator, for version 1 */
export function parseSubscriptions(text: string, separator: string): Subscriptions {
  const lines = text.split('\n');
  const version = lines[0] === HEADER ? 2 : 1;
  const paths: MailboxPath[] = [];
  const unreadable: string[] = [];
  for (const line of version === 2 ? lines.slice(1) : lines) {
    // The header in another place than the first is nobody's name, and must not get to the first place.
    if (line === '' || line === HEADER) continue;
    const parts = version === 2 ? line.split('\t').map(unescape) : line.split(separator);
    const decoded = parts.map((part) => (part === null || part === '' ? null : decodeMutf7(part)));
    if (decoded.every((part) => part !== null)) paths.push(decoded);
    else unreadable.push(line);
  }
  return { version, paths, unreadable };
}

/** The whole file, in the version that it has. `separator`: the storage separator. */
export function printSubscriptions({ version, paths, unreadable }: Subscriptions, separator: string): string {
  const lines = paths.map((path) =>
    version === 2 ? path.map((part) => tabEscape(encodeMutf7(part))).join('\t') : path.map(encodeMutf7).join(separator),
  );
  const text = [...lines, ...unreadable].map((line) => `${line}\n`).join('');
  return version === 2 ? `${HEADER}\n\n${text}` : text;
}

const ESCAPED: ReadonlyMap<string, string> = new Map([
  ['0', '\0'],
  ['1', '\u0001'],
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
]);

/** Null for an escape that no program writes: `tabUnescape` would make another name of it. */
function unescape(part: string): string | null {
  let bad = false;
  // oxlint-disable-next-line no-control-regex -- 0x01 begins an escape
  const text = part.replace(/\u0001(.?)/g, (_, code: string) => {
    const character = ESCAPED.get(code);
    if (character === undefined) bad = true;
    return character ?? '';
  });
  return bad ? null : text;
}
