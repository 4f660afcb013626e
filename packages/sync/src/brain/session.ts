/** What every part of one run shares: the store, the channel, the rules and what has been noticed so far. */
import type { Channel, MailboxGuid } from '@dsync/protocol';
import type { MailStore, Met, Mutex } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import type { MailboxReport, SyncObserver } from '../report.ts';
import type { MailboxSyncState, SyncState } from '../state/sync-state.ts';
import type { Yielding } from '../tree/yield-numbers.ts';
import type { FirstFailure } from './first-failure.ts';
import type { SessionRules } from './handshake.ts';

/** One run, as all its parts see it. */
export interface Session {
  readonly store: MailStore;
  readonly channel: Channel;
  readonly rules: SessionRules;
  readonly observer: SyncObserver;
  /** The common state that both ends were given (`-s`); null: lists are complete. */
  readonly common: SyncState | null;
  /** The state of `-s` in a run that compares complete lists all the same: it tells which own mailboxes have changed. */
  readonly told: SyncState | null;
  /** How own mailboxes were after the last run with this Dovecot; empty with our own kind, which sends digests and records. */
  readonly met: ReadonlyMap<MailboxGuid, Met>;
  /** Who takes the user lock. What is read here before the other end has it may be old by then. */
  readonly locker: 'nobody' | 'we' | 'they';
  /** A dry run with a peer that knows none: it is asked as the source of a backup (dry-run.ts). */
  readonly onlyAsks: boolean;
  /**
   * One mailbox's mails at a time leave for the peer, in the order of its asking: so one mailbox after the other is complete
   * there, and becomes durable while the next one's mails come, where all together would be at the very end. Nobody can wait for
   * ever: whoever sends waits for nothing but the peer's taking what is sent.
   */
  readonly sending: Mutex;
  /** Of keywords that a Dovecot at the other end takes, bytes. */
  readonly maxKeywordLength: number;
  readonly failure: FirstFailure;
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
  /**
   * Mailboxes that have taken numbers of the peer's in this run (or, in a dry run, would have), by the GUID that they have
   * then: equal numbers are no sign of equal mails.
   */
  readonly renumbered: Map<MailboxGuid, Yielding>;
  /** What is to be remembered for the next run with this Dovecot. */
  readonly met: Map<MailboxGuid, Met>;
}

/** Notes of a run in which nothing has happened yet. */
export function newNotes(): RunNotes {
  return {
    unexpected: [],
    warnings: [],
    requireFullResync: false,
    mailboxes: [],
    state: new Map(),
    renumbered: new Map(),
    met: new Map(),
  };
}

/** Whether the other end keeps our rules: deletes only on a record, sends digests, answers a dry run. */
export function peerIsOurs(channel: Channel): boolean {
  return channel.peer.dialect === 'native';
}

/**
 * The part of the store that the run looks at: the namespaces that were asked for.
 * @throws {SyncError} `NoSuchNamespace`: the side that serves a run takes no other namespace for one that it lacks
 */
export function storeForRun(store: MailStore, rules: Pick<SessionRules, 'role' | 'selection'>): MailStore {
  const { role, selection } = rules;
  const whole: MailStore = store.selectNamespaces?.(selection) ?? store;
  const unknown = selection.namespaces.find((prefix) => !(store.namespacePrefixes ?? ['']).includes(prefix));
  // On the side that starts it means the namespace without prefix, if there is one, as in Dovecot.
  if (role === 'slave' && unknown !== undefined)
    throw new SyncError('NoSuchNamespace', `Namespace not found: '${unknown}'`);
  return whole;
}
