/** What both ends have exchanged and found out before a conversation about one mailbox begins. */
import type { Conversation, MessageOf } from '@dsync/protocol';
import type { Mailbox, MailboxChanges, PrivateFlags } from '@dsync/storage';

import type { EqualStretches } from '../mails/equal-stretches.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import type { MailboxView } from './mailbox-view.ts';

/** `ours` and `theirs` are the announcements that both ends have exchanged. */
export interface MailboxTalk {
  readonly conversation: Conversation;
  readonly view: MailboxView;
  /** The mailbox to change; null in a dry run. */
  readonly mailbox: Mailbox | null;
  readonly ours: MessageOf<'mailbox'>;
  readonly theirs: MessageOf<'mailbox'>;
  /** The common state of this mailbox, if both ends use one. */
  readonly common: MailboxSyncState | null;
  /** Own changes since the common state, or everything. */
  readonly changes: MailboxChanges;
  /** Own private flags; null: the other end has none in this mailbox. */
  readonly privateFlags: PrivateFlags | null;
  /** With a common state that others made: what changed before it may be among the own changes. */
  readonly mayBeOlder: boolean;
  /** Neither side tells the mails in these; null: it tells all. */
  readonly equal: EqualStretches | null;
}
