/** The `subscriptions` file in both of its versions (storage-formats.md 4.5). */
import type { MailboxPath } from '@dsync/protocol';

import { decodeMutf7, encodeMutf7 } from './mutf7.ts';

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

export function printSubscriptions({ version, paths, unreadable }: Subscriptions, separator: string): string {
  const lines = paths.map((path) =>
    version === 2 ? path.map((part) => escape(encodeMutf7(part))).join('\t') : path.map(encodeMutf7).join(separator),
  );
  const text = [...lines, ...unreadable].map((line) => `${line}\n`).join('');
  return version === 2 ? `${HEADER}\n\n${text}` : text;
}

const ESCAPES: Readonly<Record<string, string>> = { '\0': '0', '\u0001': '1', '\t': 't', '\n': 'n', '\r': 'r' };
const UNESCAPES = new Map(Object.entries(ESCAPES).map(([character, code]) => [code, character]));

function escape(part: string): string {
  // eslint-disable-next-line no-control-regex
  return part.replace(/[\0\u0001\t\n\r]/g, (character) => `\u0001${ESCAPES[character] ?? ''}`);
}

function unescape(part: string): string | null {
  let bad = false;
  // eslint-disable-next-line no-control-regex
  const text = part.replace(/\u0001(.?)/g, (_, code: string) => {
    const character = UNESCAPES.get(code);
    if (character === undefined) bad = true;
    return character ?? '';
  });
  return bad ? null : text;
}
