/**
 * What a side remembers of its mailboxes for the next run with the same Dovecot. A Dovecot goes by a few numbers to see whether
 * a mailbox has to be looked at, and those of both sides can be the same by chance; our own kind goes by a digest.
 */
import type { Channel, MailboxGuid, MessageOf, Modseq } from '@dsync/protocol';
import { type MailboxStatus, type MailStore, StoreError } from '@dsync/storage';

import { isUnchanged, type MailboxSyncState } from '../state/sync-state.ts';
import { isFiltering, type SessionRules } from './handshake.ts';
import type { MailboxOutcome } from './mailbox-conversation.ts';
import type { MailboxView } from './mailbox-view.ts';
import { peerIsOurs, type Session } from './session.ts';

/** What the store knows of earlier runs with this peer; nothing where it is of no use. */
export function recallMet(store: MailStore, channel: Channel, rules: SessionRules): Session['met'] {
  return isNeeded({ channel, rules }) ? (store.recall?.(channel.peer.hostname) ?? new Map()) : new Map();
}

/** At the end of a run: what a later one shall know. */
export async function rememberMet({ store, channel, met, notes }: Session): Promise<void> {
  const changed = [...notes.met].filter(([guid, modseq]) => met.get(guid) !== modseq);
  if (changed.length > 0) await store.remember?.(channel.peer.hostname, new Map(changed));
}

/** Whether the state of `-s`, or what is remembered of the last run, shows that a mailbox was changed here. */
export function hasChanged({ told, met, rules, channel }: Session, guid: MailboxGuid, status: MailboxStatus): boolean {
  if (rules.algorithm !== 'changed' || peerIsOurs(channel)) return false;
  const state = told?.get(guid);
  const before = met.get(guid) ?? status.highestModseq;
  return before !== status.highestModseq || (state !== undefined && !isUnchanged(state, status));
}

/**
 * The own modseq when this side last met the Dovecot, if a mailbox's state was made after that: by two Dovecots of which one
 * had this very store. Its modseqs are then those of that Dovecot's index, and say nothing of what this side's history has.
 */
export function metBefore(met: Session['met'], guid: MailboxGuid, state: MailboxSyncState): Modseq | null {
  const before = met.get(guid);
  return before !== undefined && state.lastCommonModseq > before ? before : null;
}

/** Notes a mailbox that both sides have found equal. */
export function noteEqual(session: Session, { mailboxGuid, highestModseq }: MessageOf<'mailbox'>): void {
  if (isNeeded(session)) session.notes.met.set(mailboxGuid, highestModseq);
}

/** Notes a mailbox that both sides have looked at. What users have changed meanwhile is still to be looked at. */
export async function noteMet(
  session: Session,
  { view, message }: { readonly view: MailboxView; readonly message: MessageOf<'mailbox'> },
  { report, stale, highestModseq: meant }: MailboxOutcome,
): Promise<void> {
  const { notes, rules } = session;
  // What a filter holds back has not been looked at.
  if (!isNeeded(session) || stale !== null || isFiltering(rules.filter)) return;
  const isUntouched = Object.values(report.local).every((count) => count === 0);
  try {
    notes.met.set(message.mailboxGuid, isUntouched ? meant : (await view.status()).highestModseq);
  } catch (error) {
    // Deleted meanwhile.
    if (!(error instanceof StoreError) || error.code !== 'NotFound') throw error;
  }
}

function isNeeded({ channel, rules }: Pick<Session, 'channel' | 'rules'>): boolean {
  return channel.peer.isDovecot && !rules.dryRun;
}
