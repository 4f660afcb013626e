/** What users and administrators do to a store between syncs, whatever its driver. */
import type { MailboxGuid, MailboxPath, MailGuid, Uid } from '@dsync/protocol';
import type { Delivery, InitialMailbox, MailboxNumbers } from '@dsync/storage';

/**
 * Nothing here is a sync's doing, so every change counts as one that a user made. Paths are names as in `MailStore`.
 * @throws {StoreError} as the store itself would
 */
export interface MailUser {
  /** Puts a mailbox there that has no history: nobody has created it, nor delivered its mails. */
  place(path: MailboxPath, initial: InitialMailbox): Promise<void>;
  /** A subscription without history. */
  placeSubscription(path: MailboxPath): Promise<void>;
  append(path: MailboxPath, mail: Delivery): Promise<Uid>;
  expunge(path: MailboxPath, uid: number): Promise<void>;
  changeFlags(
    path: MailboxPath,
    uid: number,
    how: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
  ): Promise<void>;
  move(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid>;
  /** The copy keeps GUID, flags and keywords. */
  copy(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid>;
  createMailbox(path: MailboxPath, as: { readonly guid: MailboxGuid; readonly uidValidity: number }): Promise<void>;
  createDirectory(path: MailboxPath): Promise<void>;
  /** Deletes a mailbox or an empty directory. */
  delete(path: MailboxPath): Promise<void>;
  rename(from: MailboxPath, to: MailboxPath): Promise<void>;
  subscribe(path: MailboxPath): Promise<void>;
  unsubscribe(path: MailboxPath): Promise<void>;
  /** An administrator's change; `uidNext` and `highestModseq` only raise. */
  update(path: MailboxPath, numbers: Omit<MailboxNumbers, 'firstRecentUid'>): Promise<void>;
  /** Sets (null: deletes) a metadata entry; `key` begins with `/private/` or `/shared/`. An empty path: the server's. */
  setAttribute(path: MailboxPath, key: string, value: string | null): Promise<void>;
  /** A client opens the mailbox read-write: no mail is recent for the next one. */
  select(path: MailboxPath): Promise<void>;
  /** The store forgets modseqs, expunges and changes of a mailbox. */
  loseHistory(path: MailboxPath): Promise<void>;
  /** Another mail lies behind a UID; nobody has noted it anywhere. */
  replaceMail(path: MailboxPath, uid: number, guid: MailGuid, body: Uint8Array): Promise<void>;
  /** Remembers the whole store, for `restore`. */
  snapshot(): Promise<void>;
  /** Puts the whole store back, history and all. */
  restore(): Promise<void>;
}
