/** One mailbox as a conversation about it needs it: the real one, or in a dry run one that is yet to be made. */
import type { MailboxGuid, MailboxPath, MailGuid, Modseq, Uid } from '@dsync/protocol';
import type { Attribute, Mailbox, MailboxChanges, MailboxStatus, MailContent, MailFacts } from '@dsync/storage';

/** The reading half of a mailbox. */
export interface MailboxView {
  readonly path: MailboxPath;
  status(): Promise<MailboxStatus>;
  /** null if the history does not reach back that far. */
  changes(since: { readonly uid: number; readonly modseq: Modseq } | null): Promise<MailboxChanges | null>;
  facts(): Promise<ReadonlyMap<Uid, MailFacts>>;
  attributes(): Promise<readonly Attribute[]>;
  read(uid: Uid, guid: MailGuid): Promise<MailContent | null>;
}

/** The view of a mailbox that is there. */
export function viewOf(mailbox: Mailbox): MailboxView {
  return {
    path: mailbox.path,
    status: () => mailbox.status(),
    changes: (since) => (since === null ? mailbox.changes() : mailbox.changes(since)),
    facts: () => mailbox.facts(),
    attributes: () => mailbox.attributes(),
    read: (uid, guid) => mailbox.read(uid, guid),
  };
}

/** A mailbox that a dry run would have made: empty, with the numbers that it would get. */
export function emptyView(path: MailboxPath, guid: MailboxGuid, uidValidity: number): MailboxView {
  return {
    path,
    status: () =>
      Promise.resolve({ guid, uidValidity, uidNext: 1, messages: 0, highestModseq: 1n, firstRecentUid: 1, digest: '' }),
    changes: () => Promise.resolve({ mails: [], expunges: [] }),
    facts: () => Promise.resolve(new Map()),
    attributes: () => Promise.resolve([]),
    read: () => Promise.resolve(null),
  };
}
