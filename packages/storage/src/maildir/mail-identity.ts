/** What tells one mail of a Maildir from another. */
import { isMailGuid, type MailGuid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { JournalMail } from '../journal/journal.ts';
import { baseAt } from './file-name.ts';
import type { UidlistRecord } from './uidlist.ts';

/** The base name of a remembered mail. */
export function baseOf(mail: JournalMail): string {
  return baseAt(mail.name);
}

/**
 * A mail's identity in Dovecot's eyes. A base name that cannot be a GUID (blanks) is replaced by what can.
 * @throws {StoreError} `Corrupt` if nothing can
 */
export function guidOf(record: UidlistRecord): MailGuid {
  const text = record.guid ?? record.base;
  if (isMailGuid(text)) return text;
  const repaired = encodeURIComponent(text).slice(0, 1000);
  if (!isMailGuid(repaired))
    throw new StoreError('Corrupt', `no GUID can be made of the file name ${JSON.stringify(text.slice(0, 80))}`);
  return repaired;
}
