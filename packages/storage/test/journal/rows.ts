/** Rows for journals, made up. */
import { mailboxGuid, mailGuid, uid, type MailboxGuid } from '@dsync/protocol';
import type { JournalHead, JournalMail } from '@dsync/storage';

/** The GUID of mailbox `n`. */
export function box(n: number): MailboxGuid {
  return mailboxGuid(n.toString(16).padStart(32, '0'));
}

/** The head of mailbox `n`, which is empty. */
export function headOf(n: number, more: Partial<JournalHead> = {}): JournalHead {
  return {
    guid: box(n),
    path: [`box${n}`],
    uidValidity: 1,
    uidNext: 10,
    highestModseq: 1n,
    baseModseq: 0n,
    firstRecentUid: 1,
    messages: 0,
    digest: 0n,
    fingerprint: '',
    historyFrom: 1n,
    ...more,
  };
}

/** Mail `n`, with which nothing has happened. */
export function mailOf(n: number, more: Partial<JournalMail> = {}): JournalMail {
  return {
    uid: uid(n),
    guid: mailGuid(`m${n}`),
    modseq: 1n,
    flags: 0,
    keywords: [],
    addedFlags: 0,
    removedFlags: 0,
    addedKeywords: [],
    removedKeywords: [],
    name: `m${n}`,
    ...more,
  };
}
