import type { MailboxGuid, MessageOf } from '@dsync/protocol';

/** A mailbox as its owner announces it, with mails that the peer is to want. */
export function announcement(
  mailboxGuid: MailboxGuid,
  numbers: Pick<MessageOf<'mailbox'>, 'uidValidity' | 'uidNext' | 'messages'>,
): MessageOf<'mailbox'> {
  return {
    kind: 'mailbox',
    mailboxGuid,
    ...numbers,
    firstRecentUid: 1,
    highestModseq: 9n,
    highestPrivateModseq: 0n,
    cacheFields: '',
    haveGuids: true,
    haveSaveGuids: true,
  };
}
