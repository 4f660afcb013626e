/** The data that the merge of two mailbox trees works on and makes. */
import type { MailboxGuid, MailboxPath } from '@dsync/protocol';
import type { MailboxStatus, TreeSnapshot } from '@dsync/storage';

import type { Mode } from '../options.ts';

/** As the end that computes the merge sees it; the other end computes the same with the words exchanged. */
export type Side = 'local' | 'remote';

/** By which rules trees are merged. */
export interface TreeMergeContext {
  readonly mode: Mode;
  /** In backup and one-way: the side whose tree is the model. */
  readonly source: Side;
  /** `dsync_alt_char`: stands for characters that the other side's names cannot have. */
  readonly altChar: string;
  /** The remote side cannot have names with this and two digits. */
  readonly escapeChar?: string;
  /** The nearest name that the local store can have (`MailStore.legalPath`); absent: it can have every name. */
  readonly legalHere?: (path: MailboxPath) => MailboxPath;
}

/** Why an operation is there, as a dry run prints it. */
export type TreeRule =
  | 'missing-here'
  | 'deleted-there'
  | 'renamed-there-later'
  | 'name-of-source'
  | 'name-conflict'
  | 'guid-conflict'
  | 'not-in-source'
  | 'directory-missing-here'
  | 'directory-deleted-there'
  | 'subscription-changed-later';

/** What one side has to do to its own tree, in this order. */
export type TreeOperation =
  | {
      readonly op: 'delete';
      readonly path: MailboxPath;
      readonly guid: MailboxGuid;
      readonly at: number;
      readonly rule: TreeRule;
    }
  | {
      readonly op: 'rename';
      readonly from: MailboxPath;
      readonly to: MailboxPath;
      readonly at: number;
      readonly rule: TreeRule;
    }
  | {
      readonly op: 'create';
      readonly path: MailboxPath;
      readonly guid: MailboxGuid;
      readonly uidValidity: number;
      readonly rule: TreeRule;
    }
  | {
      readonly op: 'adopt-guid';
      readonly path: MailboxPath;
      readonly from: MailboxGuid;
      readonly to: MailboxGuid;
      readonly rule: TreeRule;
    }
  | { readonly op: 'create-directory'; readonly path: MailboxPath; readonly rule: TreeRule }
  | { readonly op: 'delete-directory'; readonly path: MailboxPath; readonly at: number; readonly rule: TreeRule }
  | {
      readonly op: 'subscribe' | 'unsubscribe';
      readonly path: MailboxPath;
      readonly at: number;
      readonly rule: TreeRule;
    };

/** A mailbox that both sides have once the operations are done. */
export interface MergedMailbox {
  readonly guid: MailboxGuid;
  readonly localPath: MailboxPath;
  readonly remotePath: MailboxPath;
  /** Numbers before the operations; absent on the side that creates it. */
  readonly local?: MailboxStatus;
  readonly remote?: MailboxStatus;
}

/** Both sides' operations in the order in which they can be carried out, and the mailboxes that there are then. */
export interface TreeMerge {
  readonly local: readonly TreeOperation[];
  readonly remote: readonly TreeOperation[];
  /** In tree order: depth first, siblings bytewise by local name. */
  readonly mailboxes: readonly MergedMailbox[];
}

/** Exchanging the trees (and `source`) exchanges the results. */
export type PlanTree = (local: TreeSnapshot, remote: TreeSnapshot, context: TreeMergeContext) => TreeMerge;
