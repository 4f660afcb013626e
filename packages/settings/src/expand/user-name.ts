/** Longest user name, in bytes: as long as a file name can be. */
export const MAX_USER_NAME = 255;

/**
 * Whether a name can be a user's: it is put into paths, so it must be one safe part of a path. Refused are the empty
 * name, `/`, a leading `.` (so also `.` and `..`), `..` anywhere, `\`, control characters, a leading `-` or `~`, and
 * more than 255 bytes.
 */
export function isSafeUserName(name: string): boolean {
  if (name === '' || Buffer.byteLength(name) > MAX_USER_NAME) return false;
  if (/^[.\-~]/.test(name) || name.includes('..')) return false;
  // oxlint-disable-next-line no-control-regex
  return !/[\u0000-\u001f\u007f-\u009f/\\\u2028\u2029]/.test(name);
}
