/** How deletions of directories and unsubscriptions name what they were about, as in Dovecot. */
import { createHash } from 'node:crypto';

import type { MailboxPath } from '@dsync/protocol';

/** First 16 bytes of SHA-1 of the full visible name in UTF-8 with this separator: 32 lower-case hex digits. */
export function nameHash(path: MailboxPath, separator: string): string {
  return createHash('sha1').update(path.join(separator)).digest('hex').slice(0, 32);
}
