/** What comes of the merge of the two trees. */
import type { MailboxPath } from '@dsync/protocol';

import type { SyncReport, TreeCounts } from '../report.ts';
import type { MergedMailbox, TreeMergeContext, TreeOperation } from '../tree/tree-plan.ts';
import type { ReceivedTree } from '../tree/wire.ts';
import type { Session } from './session.ts';

/** What the merge of the trees came to, and the mailboxes that are to be looked at after it. */
export interface TreeOutcome {
  readonly mailboxes: readonly MergedMailbox[];
  /** Of the own side: what was done, or in a dry run would be. */
  readonly counts: TreeCounts;
  readonly plan: NonNullable<SyncReport['treePlan']>;
}

/** The rules of a merge of trees; without a source both sides count alike and `source` means nothing. */
export function treeContext({ rules, channel, store }: Session, { escapeChar }: ReceivedTree): TreeMergeContext {
  const source = rules.localIs === 'destination' ? 'remote' : 'local';
  const lost = escapeChar !== undefined && channel.peer.codesInNames === 'lost';
  const legalHere = (path: MailboxPath): MailboxPath => store.legalPath(path, rules.altChar);
  return { mode: rules.mode, source, altChar: rules.altChar, legalHere, ...(lost ? { escapeChar } : {}) };
}

/** Notes the mailboxes that had another GUID until now, so that equal numbers are not taken for equal mails. */
export function noteAdoptions(
  { notes }: Session,
  mailboxes: readonly MergedMailbox[],
  adopts: (mailbox: MergedMailbox) => boolean,
): void {
  for (const mailbox of mailboxes) {
    const { guid, local, remote } = mailbox;
    if (local === undefined || remote === undefined || local.guid === remote.guid || !adopts(mailbox)) continue;
    notes.renumbered.set(guid, { from: local.guid, guid, uidValidity: local.uidValidity });
  }
}

/** What a plan comes to if it is carried out as it is. */
export function countTree(operations: readonly TreeOperation[]): TreeCounts {
  const count = (...ops: readonly TreeOperation['op'][]): number =>
    operations.filter(({ op }) => ops.includes(op)).length;
  return {
    mailboxesCreated: count('create'),
    mailboxesRenamed: count('rename'),
    mailboxesDeleted: count('delete'),
    subscriptions: count('subscribe', 'unsubscribe'),
  };
}
