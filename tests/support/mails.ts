/** Mails of the scenarios: what a label stands for. */
import { FLAG, type MailGuid, mailGuid } from '@dsync/protocol';

/** Received date of mails that say none, Unix seconds. */
export const DEFAULT_DATE = 1_700_000_000;

/** The GUID of a label: 32 hex digits in the same bytewise order as the labels (at most 16 characters). */
export function guidOf(label: string): MailGuid {
  return mailGuid(Buffer.from(label).toString('hex').padEnd(32, '0'));
}

/** The label of a GUID; of any other text the text itself, so that a wrong GUID shows in a comparison. */
export function labelOf(guid: string): string {
  if (!/^[0-9a-f]{32}$/.test(guid)) return guid;
  const label = Buffer.from(guid.replace(/(00)+$/, ''), 'hex').toString();
  return /^[\w.-]{1,16}$/.test(label) ? label : guid;
}

/** A mail's bytes: the same for the same label and size, `size` bytes with CRLF line ends. */
export function bodyOf(label: string, size = 0): Uint8Array {
  const head = `From: ${label}@example.com\r\nSubject: ${label}\r\nMessage-ID: <${label}@example.com>\r\n\r\n`;
  let text = `${head}This is ${label}.\r\n`;
  while (text.length + 78 <= size) text += `${'.'.repeat(76)}\r\n`;
  if (text.length < size)
    text += '-'.repeat(Math.max(0, size - text.length - 2)) + (size - text.length >= 2 ? '\r\n' : '\n');
  return Buffer.from(text);
}

/** Words with a backslash are flags, the others keywords. */
export function splitFlags(words: readonly string[]): { readonly flags: number; readonly keywords: readonly string[] } {
  let flags = 0;
  const keywords: string[] = [];
  for (const word of words) {
    if (word.startsWith('\\')) flags |= bitOf(word);
    else keywords.push(word);
  }
  return { flags, keywords };
}

/** Names of flag bits, sorted, with backslash. */
export function flagNames(flags: number): readonly string[] {
  return Object.entries(FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => `\\${name.charAt(0).toUpperCase()}${name.slice(1)}`)
    .toSorted();
}

function bitOf(word: string): number {
  const bit = Object.entries(FLAG).find(([name]) => name === word.slice(1).toLowerCase())?.[1];
  if (bit === undefined) throw new Error(`no such flag: ${word}`);
  return bit;
}
