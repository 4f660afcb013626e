/**
 * What the engine knows of a place where mail lives. A driver (maildir, memory, …) implements `MailStore` and
 * `Mailbox`, says by `StoreCapabilities` what it can do, and passes the acceptance suite in ../test-kit.
 * Nobody asks for a driver's name.
 */
import type { Body, MailboxGuid, MailboxPath, MailGuid, Modseq, TimedHash, Uid } from '@dsync/protocol';

import type { Met } from './met.ts';

/** What a driver can do; the engine adapts to it. */
export interface StoreCapabilities {
  /** A mail keeps a GUID that we choose. */
  readonly keepsMailGuids: boolean;
  /** Only the 128-bit form of a GUID is kept. */
  readonly onlyGuid128: boolean;
  /** Mails can be saved with a UID that we choose (≥ UIDNEXT). */
  readonly keepsUids: boolean;
  /** Modseqs survive between runs, so "changed since" can be asked. */
  readonly keepsModseqs: boolean;
  /** Expunges are remembered with UID and GUID. */
  readonly remembersExpunges: boolean;
  readonly keepsAttributes: boolean;
}

/** One name: a mailbox (has `mailbox`), a directory (`exists` without), or a mere subscription (`exists` false). */
export interface TreeNode {
  readonly path: MailboxPath;
  readonly exists: boolean;
  readonly mailbox?: MailboxStatus;
  /** Unix seconds of the last rename to this name; 0 = unknown. */
  readonly renamedAt: number;
  /** Unix seconds of the creation by a user, not by a sync; 0 = unknown. */
  readonly createdAt: number;
  readonly subscribed: boolean;
  /** Unix seconds; 0 = unknown. */
  readonly subscriptionChangedAt: number;
}

/** What a store remembers to have been deleted; times in Unix seconds. */
export interface TreeDeletions {
  readonly mailboxes: readonly { readonly guid: MailboxGuid; readonly time: number }[];
  /** By first 16 bytes of SHA-1 of the name with the store's own separator, 32 hex digits. */
  readonly directories: readonly TimedHash[];
  readonly unsubscribes: readonly TimedHash[];
}

/** Every name of a store at one moment, and what it remembers of those that are gone. */
export interface TreeSnapshot {
  /** The visible hierarchy separator, one character; no path part contains it. */
  readonly separator: string;
  readonly nodes: readonly TreeNode[];
  readonly deletions: TreeDeletions;
}

/** A mailbox's numbers, as in IMAP (RFC 9051, RFC 7162), and a digest of its contents. */
export interface MailboxStatus {
  readonly guid: MailboxGuid;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly messages: number;
  /** At least 1; 0 if the store keeps none. */
  readonly highestModseq: Modseq;
  /** UIDs from here on have not been shown to a client yet (`\Recent`). */
  readonly firstRecentUid: number;
  /** Digest over UIDs, GUIDs, flags, keywords and attributes (digest.ts): equal digests, equal contents. */
  readonly digest: string;
}

/** A mail as the merge sees it. Keywords are sorted, unique without regard to case. */
export interface MailRecord {
  readonly uid: Uid;
  readonly guid: MailGuid;
  readonly modseq: Modseq;
  /** Bits of FLAG. */
  readonly flags: number;
  readonly keywords: readonly string[];
  /** Users' last action per flag since the history began, for flags where there was one; never a sync's own changes. */
  readonly addedFlags: number;
  readonly removedFlags: number;
  readonly addedKeywords: readonly string[];
  readonly removedKeywords: readonly string[];
}

/**
 * Flags that a shared mailbox of a Dovecot's keeps for each user apart, as they were here when the two last met. Such flags
 * have modseqs of their own, which follow the other end's and say nothing to those of the mailbox.
 */
export interface PrivateFlags {
  readonly uidValidity: number;
  /** At least 1. */
  readonly highestModseq: Modseq;
  readonly mails: ReadonlyMap<Uid, PrivateMail>;
}

/** The private flags of one mail. */
export interface PrivateMail {
  /** Bits of FLAG, of the private ones alone. */
  readonly flags: number;
  readonly modseq: Modseq;
}

/** Extra facts for mail filters, asked for only when a filter is on. */
export interface MailFacts {
  /** Received date (IMAP INTERNALDATE), Unix seconds. */
  readonly received: number;
  /** Bytes with CRLF line ends (RFC822.SIZE). */
  readonly virtualSize: number;
}

/** A mail that is gone. */
export interface ExpungeRecord {
  readonly uid: Uid;
  /** The mail's GUID as text, or its 128-bit form; null if the store did not learn it. */
  readonly guid: string | null;
  readonly modseq: Modseq;
}

/** What `Mailbox.changes` tells. */
export interface MailboxChanges {
  /** Ascending UIDs. Without `since`: every mail. */
  readonly mails: readonly MailRecord[];
  /** Ascending UIDs, none of which is in `mails`. Every expunge that is remembered, or those since. */
  readonly expunges: readonly ExpungeRecord[];
}

/** A metadata entry of a mailbox (RFC 5464). */
export interface Attribute {
  readonly scope: 'private' | 'shared';
  /** Without the `/private/` or `/shared/` prefix. */
  readonly key: string;
  /** null: was deleted. */
  readonly value: string | null;
  /** Unix seconds, 0 = unknown. */
  readonly changedAt: number;
  readonly modseq: Modseq;
}

/** A mail's bytes and dates. Dispose it when done. */
export interface MailContent extends AsyncDisposable {
  readonly received: number;
  readonly saved?: number;
  readonly pop3Uidl?: string;
  readonly pop3Order?: number;
  /** As stored: line ends are not changed. Whole when at most 64 KiB. */
  readonly body: Body;
}

/** What a new mail gets, whatever its bytes come from. */
export interface NewMail {
  readonly uid: Uid;
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** The stored modseq is at least this. */
  readonly modseq: Modseq;
  readonly received: number;
  readonly saved?: number;
  readonly pop3Uidl?: string;
  readonly pop3Order?: number;
}

/** What a mail gets whose bytes are here already, and bring their dates along. */
export type PlacedMail = Omit<NewMail, 'received' | 'saved'>;

/** What of a mailbox's numbers a transaction sets. */
export interface MailboxNumbers {
  readonly guid?: MailboxGuid;
  readonly uidValidity?: number;
  readonly uidNext?: number;
  readonly highestModseq?: Modseq;
  readonly firstRecentUid?: number;
}

/** What a commit did; the counts are of mails. */
export interface CommitResult {
  /**
   * Mails had arrived under UIDs that the transaction wanted, so it and they got other UIDs (settle-uids.ts);
   * the run must be repeated (exit status 2).
   */
  readonly uidsChanged: boolean;
  /**
   * HIGHESTMODSEQ just before the commit. Above the one that came with `changes`: others changed the mailbox meanwhile,
   * and a common state must not claim that their changes were seen. 0 if the store keeps no modseqs.
   */
  readonly modseqBefore: Modseq;
  readonly saved: number;
  readonly copied: number;
  readonly flagged: number;
  readonly expunged: number;
  readonly renumbered: number;
}

/**
 * Any number of changes, then one durable, atomic `commit`. A reader sees the mailbox before or after; a crash at any
 * instant leaves one that the next opening completes or takes back. Disposing without commit takes everything back.
 * Calls must not overlap, except that several `save`s may be under way at once.
 */
export interface MailboxTransaction extends AsyncDisposable {
  /**
   * Stores bytes as a new mail that becomes visible at commit. Undefined: it is stored already, so that a long list of
   * small mails waits for nothing.
   * @throws {StoreError} `DiskFull`, `Permission`, `Temporary`; whatever reading `body` throws (then nothing of it stays)
   */
  save(mail: NewMail, body: Body): Promise<void> | undefined;
  /** One more mail with the bytes of `from`, a mail of this mailbox that may be expunged in the same transaction. */
  copy(from: Uid, mail: PlacedMail): void;
  /** Gives a mail another UID (≥ UIDNEXT); everything else of it stays. The old UID becomes expunged. */
  renumber(from: Uid, to: Uid): void;
  /**
   * Sets flags and keywords to exactly these; as a sync's change, not a user's (it leaves no added/removed). What a user
   * changes between `begin` and `commit` stays changed.
   */
  setFlags(uid: Uid, flags: number, keywords: readonly string[], modseq: Modseq): void;
  /** Removes the mail if it still has that GUID. */
  expunge(uid: Uid, guid: MailGuid): void;
  /**
   * Makes the mailbox anew (a backup's repair): nothing that is not saved, copied or kept in this transaction stays,
   * UIDs may start below UIDNEXT, and what clients and Dovecot remember of it is dropped. Must be the first call.
   */
  rebuild(as: { readonly guid: MailboxGuid; readonly uidValidity: number }): void;
  /** With `rebuild`: keeps the local mail `from` under this UID with these flags, without copying bytes. */
  keep(from: Uid, as: PlacedMail): void;
  /** Mailbox numbers; `uidNext`, `highestModseq`, `firstRecentUid` only ever raise (except after `rebuild`). */
  update(numbers: MailboxNumbers): void;
  /** Sets (or with null deletes) a metadata entry, as a sync's change. */
  setAttribute(attribute: Attribute): void;
  /** @throws {StoreError} as for `save`; the mailbox is then as before */
  commit(): Promise<CommitResult>;
}

/** One mailbox of an open store. Dispose it when done. */
export interface Mailbox extends AsyncDisposable {
  readonly path: MailboxPath;
  /** The present numbers; looks for changes made by others first. */
  status(): Promise<MailboxStatus>;
  /**
   * The mails and the remembered expunges. With `since`: every mail with a higher UID, and of the others those whose
   * modseq is higher; `null` if the history does not reach back that far.
   */
  changes(): Promise<MailboxChanges>;
  changes(since: { readonly uid: number; readonly modseq: Modseq }): Promise<MailboxChanges | null>;
  /** Received date and virtual size of every mail, by UID. */
  facts(): Promise<ReadonlyMap<Uid, MailFacts>>;
  /** Attributes, and the deleted ones that are remembered. */
  attributes(): Promise<readonly Attribute[]>;
  /** A mail's content, or null if it is not there any more (or not with that GUID). */
  read(uid: Uid, guid: MailGuid): Promise<MailContent | null>;
  /** A transaction may begin, and take mails, while the commit of another one is under way; mails of that one count as there. */
  begin(): Promise<MailboxTransaction>;
  /**
   * Keeps other synchronisers (ours and Dovecot's) out of this mailbox until disposed; mail clients are not kept out.
   * @throws {StoreError} `Locked` after `timeoutMs`
   */
  lock(timeoutMs: number): Promise<AsyncDisposable>;
}

/** Which namespaces a run looks at (namespaces/selection.ts has the rule). */
export interface NamespaceSelection {
  /** `-n`: prefixes; empty: the default choice. */
  readonly namespaces: readonly string[];
  /** `-N`. */
  readonly allNamespaces: boolean;
}

/** A user's mail. Names are paths of parts; a part never contains the store's separator, `\0`, CR or LF. */
export interface MailStore extends AsyncDisposable {
  readonly capabilities: StoreCapabilities;
  readonly separator: string;
  /** Where mail was looked for that is not there: the store stands for it, and is empty. Absent: it is there. */
  readonly missingAt?: string;
  /** Every name, with the numbers of every mailbox; mailboxes made by configuration but not yet on disk are left out. */
  readTree(): Promise<TreeSnapshot>;
  /** null if no mailbox has that GUID (any more). */
  openMailbox(guid: MailboxGuid): Promise<Mailbox | null>;
  /**
   * Whether this store can have a mailbox of that name as it is; else the nearest name that it can have, with
   * `altChar` for what it refuses. The same name gets the same repair every time.
   */
  legalPath(path: MailboxPath, altChar: string): MailboxPath;
  /** @throws {StoreError} `AlreadyExists`, `InvalidName`, … `createdAt` 0: by a sync, time unknown */
  createMailbox(
    path: MailboxPath,
    as: { readonly guid: MailboxGuid; readonly uidValidity: number; readonly createdAt: number },
  ): Promise<void>;
  /** Removes a mailbox with its mails; its children stay. INBOX is emptied instead. `at`: time to remember, Unix seconds. */
  deleteMailbox(path: MailboxPath, guid: MailboxGuid, at: number): Promise<void>;
  /** Renames a mailbox or directory together with everything below it. @throws {StoreError} `NotFound`, `AlreadyExists` */
  rename(from: MailboxPath, to: MailboxPath, at: number): Promise<void>;
  createDirectory(path: MailboxPath): Promise<void>;
  /** @throws {StoreError} `NotFound`, `NotEmpty` */
  deleteDirectory(path: MailboxPath, at: number): Promise<void>;
  setSubscribed(path: MailboxPath, subscribed: boolean, at: number): Promise<void>;
  /**
   * Only of stores with namespaces: this store reduced to those that a run looks at (namespaces/selection.ts). Names
   * outside them are not listed and cannot be made. Closing the reduced store leaves this one open.
   * @throws {StoreError} `NotFound` when no namespace is left, `Temporary` when two of them differ in separator
   */
  selectNamespaces?(selection: NamespaceSelection): MailStore;
  /** The prefixes of its namespaces; absent: one namespace without prefix. */
  readonly namespacePrefixes?: readonly string[];
  /** The prefix of that which has INBOX; absent: none of them has, or one namespace without prefix. */
  readonly inboxNamespace?: string;
  /**
   * How mailboxes were, as `remember` was told in earlier runs with this peer. A peer that sends no digests cannot tell that a
   * mailbox has changed here if its own numbers happen to be the same, nor why a mail is not here.
   */
  recall?(peer: string): ReadonlyMap<MailboxGuid, Met>;
  /** Mailboxes of which nothing new is told stay remembered as they were. */
  remember?(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void>;
  /** What `rememberPrivate` was told of a mailbox last; null: nothing, or the mailbox was made anew since. */
  recallPrivate?(mailbox: MailboxGuid): PrivateFlags | null;
  /** Of a mailbox that this store does not have nothing is remembered. */
  rememberPrivate?(mailbox: MailboxGuid, flags: PrivateFlags): Promise<void>;
  /** The per-user lock of `-l`. @throws {StoreError} `Locked` */
  lockUser(timeoutMs: number): Promise<AsyncDisposable>;
}
