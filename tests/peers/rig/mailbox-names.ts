/** Mailbox names as IMAP writes them (RFC 3501 §5.1.3), for the judge's own commands. */

const encodeRun = (text: string): string => {
  const bytes = Buffer.from(text, 'utf16le').swap16();
  return `&${bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`;
};

const decodeRun = (encoded: string): string =>
  encoded === '' ? '&' : Buffer.from(encoded.replaceAll(',', '/'), 'base64').swap16().toString('utf16le');

/** A name as a quoted IMAP string. */
export const quoteName = (name: string): string => {
  const encoded = name.replaceAll('&', '&-').replace(/[^\x20-\x7e]+/g, encodeRun);
  return `"${encoded.replace(/["\\]/g, '\\$&')}"`;
};

/** The name in an IMAP string that may be quoted. */
export const readName = (text: string): string => {
  const plain = text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
  return plain.replace(/&([^-]*)-/g, (_match, encoded: string) => decodeRun(encoded));
};
