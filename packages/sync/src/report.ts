/** What a run did, as data: the source of `--json`, the plan of `--dry-run`, the log and the exit status. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import type { MailOperation } from './mails/mail-plan.ts';
import type { Mode } from './options.ts';
import type { SyncState } from './state/sync-state.ts';
import type { TreeOperation } from './tree/tree-plan.ts';

/** Counts of changes made to the mails of one side. */
export interface MailCounts {
  readonly saved: number;
  readonly copied: number;
  readonly flagged: number;
  readonly expunged: number;
  readonly renumbered: number;
}

/** Counts of changes made to the tree of one side. */
export interface TreeCounts {
  readonly mailboxesCreated: number;
  readonly mailboxesRenamed: number;
  readonly mailboxesDeleted: number;
  readonly subscriptions: number;
}

/** What was done to one mailbox: here and at the other end. */
export interface MailboxReport {
  readonly path: MailboxPath;
  readonly guid: MailboxGuid;
  readonly local: MailCounts;
  readonly remote: MailCounts;
  /** With `--dry-run`: what would be done. */
  readonly plan?: { readonly local: readonly MailOperation[]; readonly remote: readonly MailOperation[] };
}

/** What a run did at both ends; in a dry run what it would have done. */
export interface SyncReport {
  readonly mode: Mode;
  readonly dryRun: boolean;
  readonly dialect: 'native' | 'dovecot';
  readonly local: MailCounts & TreeCounts;
  readonly remote: MailCounts & TreeCounts;
  /** Only mailboxes in which something was looked at. */
  readonly mailboxes: readonly MailboxReport[];
  /** With `--dry-run`: what would be done to the trees. */
  readonly treePlan?: { readonly local: readonly TreeOperation[]; readonly remote: readonly TreeOperation[] };
  /** The new state; null: a full resync is required (printed as an empty line). */
  readonly state: SyncState | null;
  /** Reasons why the run should be repeated (exit status 2); empty: none. */
  readonly unexpected: readonly string[];
  readonly warnings: readonly string[];
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Called while a run goes on, for progress and log; must not throw. */
export interface SyncObserver {
  /** A mailbox is about to be compared; `total` mailboxes are to come in all, as far as known. */
  mailboxStarted?(path: MailboxPath, index: number, total: number): void;
  /** `done` of `total` mails of the mailbox have been received and stored. */
  mailsReceived?(path: MailboxPath, done: number, total: number, bytes: number): void;
  /** `done` of `total` mails that the other side wants have been sent. */
  mailsSent?(path: MailboxPath, done: number, total: number): void;
  treeOperation?(side: 'local' | 'remote', operation: TreeOperation): void;
  mailOperation?(side: 'local' | 'remote', path: MailboxPath, operation: MailOperation): void;
  warning?(text: string): void;
  debug?(text: string): void;
}
