/** Whether an expunge record speaks of a mail. */
import { guid128, type MailGuid } from '@dsync/protocol';

/**
 * `fits`: the record names this mail, by its text or by the 128-bit form (Dovecot's logs keep only that); `unknown`: it
 * names none; `other`: another mail was expunged under that UID.
 */
export type RecordFit = 'fits' | 'unknown' | 'other';

const GUID_128 = /^[0-9a-fA-F]{32}$/;

/** @param recordGuid null or empty: the record names no mail */
export function recordFits(recordGuid: string | null, guid: MailGuid): RecordFit {
  if (recordGuid === null || recordGuid === '') return 'unknown';
  if (recordGuid === guid) return 'fits';
  return GUID_128.test(recordGuid) && recordGuid.toLowerCase() === guid128(guid) ? 'fits' : 'other';
}

/** Whether two records, perhaps in different forms, name the same mail. */
export function sameRecordedMail(a: string | null, b: string | null): boolean {
  if (a === null || b === null || a === '' || b === '') return false;
  return a === b || guid128(a) === guid128(b);
}
