import { createHash, timingSafeEqual } from 'node:crypto';

import { isDoveadmLogin, parsePlainLine } from '@dsync/protocol';

/** Whether a PLAIN line proves the password. Takes the same time wherever the two differ; false if none is configured. */
export function provesPassword(line: string, password: string | null): boolean {
  const given = parsePlainLine(line);
  if (given === null || password === null || password === '') return false;
  const same = timingSafeEqual(digest(given.password), digest(Buffer.from(password)));
  return same && isDoveadmLogin(given.login);
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
