/**
 * Modified UTF-7 (RFC 3501 §5.1.3), the form in which mailbox names lie on disk. Strict: only the one canonical
 * spelling of a name is read, so that no two directories have the same name.
 */

const SHIFTED = /[^\u0020-\u007e]+/g;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The text must not hold lone surrogates (they have no spelling). */
export function encodeMutf7(text: string): string {
  return text.replaceAll('&', '&-').replace(SHIFTED, (run) => `&${base64(run)}-`);
}

/** null unless `text` is exactly what `encodeMutf7` makes of a name. */
export function decodeMutf7(text: string): string | null {
  if (/[^\u0020-\u007e]/.test(text)) return null;
  const decoded = text.replace(/&([^-]*)-/g, (_, run: string) => (run === '' ? '&' : unBase64(run)));
  return !LONE_SURROGATE.test(decoded) && encodeMutf7(decoded) === text ? decoded : null;
}

function base64(run: string): string {
  return Buffer.from(run, 'utf16le').swap16().toString('base64').replaceAll('/', ',').replace(/=+$/, '');
}

function unBase64(run: string): string {
  const bytes = Buffer.from(run.replaceAll(',', '/'), 'base64');
  // A half character: an impossible result, which the comparison above refuses.
  return bytes.length % 2 === 0 ? bytes.swap16().toString('utf16le') : '\ud800';
}
