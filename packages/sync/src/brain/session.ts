/** What every part of one run shares: the store, the channel, the rules and what has been noticed so far. */
import type { Channel, MailboxGuid } from '@dsync/protocol';
import type { MailStore } from '@dsync/storage';

import type { Selection } from '../options.ts';
import type { MailboxReport, SyncObserver } from '../report.ts';
import type { MailboxSyncState, SyncState } from '../state/sync-state.ts';
import type { SessionRules } from './handshake.ts';

export interface Session {
  readonly store: MailStore;
  readonly channel: Channel;
  readonly rules: SessionRules;
  readonly observer: SyncObserver;
  /** The common state that both ends were given (`-s`); null: lists are complete. */
  readonly common: SyncState | null;
  /** Filled while the run goes on. */
  readonly notes: RunNotes;
}

/** What a run has noticed and done. */
export interface RunNotes {
  /** Reasons to run again (exit status 2). */
  readonly unexpected: string[];
  readonly warnings: string[];
  requireFullResync: boolean;
  readonly mailboxes: MailboxReport[];
  /** The new state, mailbox by mailbox. */
  readonly state: Map<MailboxGuid, MailboxSyncState>;
}

export function newNotes(): RunNotes {
  return { unexpected: [], warnings: [], requireFullResync: false, mailboxes: [], state: new Map() };
}

/** Whether the other end keeps our rules: deletes only on a record, sends digests, answers a dry run. */
export function peerIsOurs(channel: Channel): boolean {
  return channel.peer.dialect === 'native';
}

/**
 * The part of the store that the run looks at: the namespaces that were asked for.
 */
export function storeForRun(store: MailStore, selection: Selection): MailStore {
  if (store.selectNamespaces !== undefined) return store.selectNamespaces(selection);
  // A prefix that is not there means the namespace without prefix (sync-semantics.md 1.4), which is all that there is.
  return store;
}
