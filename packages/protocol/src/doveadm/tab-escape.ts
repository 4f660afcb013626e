/** Tab-separated fields as doveadm writes them: NUL, 0x01, TAB, LF and CR become 0x01 and `0`, `1`, `t`, `n` or `r`. */

const ESCAPES: Readonly<Record<string, string>> = { '\0': '0', '\u0001': '1', '\t': 't', '\n': 'n', '\r': 'r' };
const MEANINGS: Readonly<Record<string, string>> = { '0': '\0', '1': '\u0001', t: '\t', n: '\n', r: '\r' };

/** One field. A list inside of a field is escaped twice. */
export function tabEscape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what has to be escaped
  return text.replace(/[\u0000\u0001\t\n\r]/g, (c) => `\u0001${ESCAPES[c] ?? ''}`);
}

/** An escape byte before any other byte yields that byte; at the very end it is dropped. */
export function tabUnescape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- 0x01 begins an escape
  return text.replace(/\u0001([\s\S]?)/g, (_all, c: string) => MEANINGS[c] ?? c);
}

/** Fields to one line, without its end. */
export function joinTabFields(fields: readonly string[]): string {
  return fields.map(tabEscape).join('\t');
}

/** Fields of a line without its end; of an empty line there is one. */
export function splitTabFields(line: string): string[] {
  return line.split('\t').map(tabUnescape);
}
