/** One mailbox's opening and closing message, for tests that are about how messages travel. */
import { mailboxGuid } from '@dsync/protocol';

export const GUID = mailboxGuid('0123456789abcdef0123456789abcdef');

export const BOX = {
  kind: 'mailbox',
  mailboxGuid: GUID,
  uidValidity: 1,
  uidNext: 2,
  messages: 1,
  firstRecentUid: 1,
  highestModseq: 1n,
  highestPrivateModseq: 0n,
} as const;

export const STATE = {
  kind: 'mailboxState',
  mailboxGuid: GUID,
  lastUidValidity: 1,
  lastCommonUid: 1,
  lastCommonModseq: 1n,
  lastCommonPrivateModseq: 0n,
} as const;
