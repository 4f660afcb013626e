/** A run from the side that starts it: handshake, trees, mailboxes in the order of the merged tree, farewell. */
import { hostname as machineName } from 'node:os';

import type { Channel, MessageOf } from '@dsync/protocol';
import { type MailStore, Mutex } from '@dsync/storage';

import { MAX_KEYWORD_LENGTH } from '../mails/refused-keywords.ts';
import type { SyncOptions } from '../options.ts';
import type { MailCounts, SyncObserver, SyncReport, TreeCounts } from '../report.ts';
import type { SyncState } from '../state/sync-state.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { equalState, provenEqual, recentSettled } from './announce-mailbox.ts';
import { FirstFailure } from './first-failure.ts';
import { masterRules } from './handshake.ts';
import { InFlight } from './in-flight.ts';
import { expectKind } from './receive.ts';
import { isApart, metBefore, recallMet, rememberMet } from './met-before.ts';
import { newNotes, peerIsOurs, type Session, storeForRun } from './session.ts';
import { announceMailbox } from './sync-mailbox.ts';
import { mergeTrees } from './sync-trees.ts';
import { countTree, type TreeOutcome } from './tree-outcome.ts';
import { whoLocks, withUserLock } from './user-lock.ts';

/**
 * Synchronises `store` with the peer at the other end of `channel`, which is not closed here.
 * @param hostname the name that was sent in the own handshake
 * @param maxKeywordLength of keywords that a Dovecot at the other end takes, bytes (its `mail_max_keyword_length`)
 * @throws {ProtocolError} when the conversation fails; {StoreError} when the own store does; {SyncError} otherwise
 */
export async function runMaster(
  store: MailStore,
  channel: Channel,
  options: SyncOptions,
  observer: SyncObserver,
  hostname: string = machineName(),
  maxKeywordLength: number = MAX_KEYWORD_LENGTH,
): Promise<SyncReport> {
  const failure = new FirstFailure(channel);
  const rules = masterRules(options);
  const given = rules.algorithm === 'state' ? options.state : null;
  try {
    const view = storeForRun(store, rules);
    const met = recallMet(view, channel);
    const common = given && usableStates(given, { met, rules });
    const session: Session = {
      store: view,
      channel,
      rules,
      observer,
      common,
      told: common === null ? options.state : null,
      met,
      locker: whoLocks(rules, channel, hostname),
      onlyAsks: rules.dryRun && !peerIsOurs(channel),
      sending: new Mutex(),
      maxKeywordLength,
      failure,
      notes: newNotes(),
    };
    return await withUserLock(session, async () => {
      if (common !== null) await sendStates(channel, common);
      const trees = await mergeTrees(session);
      if (!rules.noMails) await syncMailboxes(session, trees.mailboxes);
      await channel.endMailboxes();
      return await finish(session, trees);
    });
  } catch (thrown) {
    throw await failure.end(thrown);
  }
}

/** A mailbox of which no state is told is compared in full. */
function usableStates(states: SyncState, before: Pick<Session, 'met' | 'rules'>): SyncState {
  return new Map(
    [...states].filter(([guid, state]) => metBefore(before.met, guid, state) === null && !isApart(before, guid)),
  );
}

async function sendStates(channel: Channel, states: SyncState): Promise<void> {
  for (const [mailboxGuid, state] of states) {
    await channel.session.send({
      kind: 'mailboxState',
      mailboxGuid,
      lastUidValidity: state.uidValidity,
      lastCommonUid: state.lastCommonUid,
      lastCommonModseq: state.lastCommonModseq,
      lastCommonPrivateModseq: state.lastCommonPrivateModseq,
      messages: state.messages,
    });
  }
  await channel.session.send({ kind: 'listEnd' });
}

/** Mails of all mailboxes that are under way at once, unless it is one mailbox: their lists are in memory, at both ends. */
const MAILS_IN_FLIGHT = 20_000;

/** Every mailbox that the trees do not prove equal, several at a time where the channel allows it. */
async function syncMailboxes(session: Session, mailboxes: readonly MergedMailbox[]): Promise<void> {
  const { channel, observer, notes } = session;
  const todo: MergedMailbox[] = [];
  for (const merged of mailboxes) {
    if (!skippedByTree(session, merged)) todo.push(merged);
    else if (merged.local && merged.remote) notes.state.set(merged.guid, equalState(merged.local, merged.remote));
  }
  const limits = { items: channel.window, weight: MAILS_IN_FLIGHT };
  const inFlight = new InFlight(limits, (reason) => session.failure.note(reason));
  for (const [index, merged] of todo.entries()) {
    await inFlight.start(
      async () => {
        observer.mailboxStarted?.(merged.localPath, index, todo.length);
        await announceMailbox(session, merged);
      },
      Math.max(merged.local?.messages ?? 0, merged.remote?.messages ?? 0),
    );
  }
  await inFlight.end();
}

/** Our own kind sends every mailbox's numbers with the tree, so that equal ones cost no message of their own. */
function skippedByTree(session: Session, merged: MergedMailbox): boolean {
  const { local, remote } = merged;
  if (session.rules.algorithm === 'full' || !peerIsOurs(session.channel)) return false;
  if (local === undefined || remote === undefined) return false;
  return local.guid === remote.guid && provenEqual(local, remote) && recentSettled(session.rules, local, remote);
}

async function finish(session: Session, trees: TreeOutcome): Promise<SyncReport> {
  const { channel, rules, notes } = session;
  const last = expectKind(await channel.session.receive(), 'finish', 'end of the run');
  if (last.requireFullResync) notes.requireFullResync = true;
  if (last.changed && notes.unexpected.length === 0)
    notes.unexpected.push('Remote notified that changes happened during sync');
  if (last.requireFullResync && notes.unexpected.length === 0) notes.unexpected.push('Remote requires a full resync');
  await rememberMet(session);
  const remoteTree = remoteTreeCounts(last, trees);
  notes.mailboxes.sort((a, b) => (a.path.join('\0') < b.path.join('\0') ? -1 : 1));
  return {
    mode: rules.mode,
    dryRun: rules.dryRun,
    dialect: channel.peer.dialect,
    local: { ...sum(notes.mailboxes.map((m) => m.local)), ...trees.counts },
    remote: { ...sum(notes.mailboxes.map((m) => m.remote)), ...remoteTree },
    mailboxes: notes.mailboxes,
    ...(rules.dryRun ? { treePlan: trees.plan } : {}),
    state: notes.requireFullResync ? null : stateOf(session, trees.mailboxes),
    unexpected: notes.unexpected,
    warnings: [...notes.warnings, ...(last.warnings ?? [])],
    bytesIn: channel.bytesIn,
    bytesOut: channel.bytesOut,
  };
}

/** A Dovecot does not say what it did: then it is what the plan has for it. */
function remoteTreeCounts({ appliedToTree }: MessageOf<'finish'>, { plan }: TreeOutcome): TreeCounts {
  if (appliedToTree === undefined) return countTree(plan.remote);
  const [mailboxesCreated = 0, mailboxesRenamed = 0, mailboxesDeleted = 0, subscriptions = 0] = appliedToTree;
  return { mailboxesCreated, mailboxesRenamed, mailboxesDeleted, subscriptions };
}

/** States of mailboxes that still exist; those that this run did not look at keep the one they had. */
function stateOf(session: Session, mailboxes: readonly MergedMailbox[]): SyncState {
  const state = new Map<MergedMailbox['guid'], NonNullable<ReturnType<SyncState['get']>>>();
  for (const { guid } of mailboxes) {
    const known = session.notes.state.get(guid) ?? session.common?.get(guid);
    if (known !== undefined) state.set(guid, known);
  }
  return state;
}

function sum(counts: readonly MailCounts[]): MailCounts {
  const total = { saved: 0, copied: 0, flagged: 0, expunged: 0, renumbered: 0 };
  for (const c of counts) {
    total.saved += c.saved;
    total.copied += c.copied;
    total.flagged += c.flagged;
    total.expunged += c.expunged;
    total.renumbered += c.renumbered;
  }
  return total;
}
