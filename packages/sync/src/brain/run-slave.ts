/** A run from the side that serves it; the master's handshake says what is to be done. */
import { hostname as machineName } from 'node:os';

import type { Channel, MailboxGuid, MessageOf } from '@dsync/protocol';
import { type MailStore, Mutex } from '@dsync/storage';

import { MAX_KEYWORD_LENGTH } from '../mails/refused-keywords.ts';
import type { MailboxReport, SyncObserver, TreeCounts } from '../report.ts';
import type { MailboxSyncState, SyncState } from '../state/sync-state.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { isSpecialUse } from '../tree/selection.ts';
import { FirstFailure } from './first-failure.ts';
import { type SessionRules, slaveRules } from './handshake.ts';
import { InFlight } from './in-flight.ts';
import { receiveList } from './receive.ts';
import { recallMet, rememberMet } from './met-before.ts';
import { newNotes, type Session, storeForRun } from './session.ts';
import { answerMailbox } from './sync-mailbox.ts';
import { mergeTrees } from './sync-trees.ts';
import { whoLocks, withUserLock } from './user-lock.ts';

/** What a served run did here. The peer has been told the counts, the warnings, and whether anything was unexpected. */
export interface SlaveReport {
  readonly tree: TreeCounts;
  readonly mailboxes: readonly MailboxReport[];
  readonly unexpected: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Serves one run on `channel`, which is closed at its end.
 * @param hostname the name that was sent in the own handshake
 * @param maxKeywordLength of keywords that a Dovecot at the other end takes, bytes (its `mail_max_keyword_length`)
 * @throws {ProtocolError} when the conversation fails; {StoreError} when the own store does
 */
export async function runSlave(
  store: MailStore,
  channel: Channel,
  observer: SyncObserver,
  hostname: string = machineName(),
  maxKeywordLength: number = MAX_KEYWORD_LENGTH,
): Promise<SlaveReport> {
  const failure = new FirstFailure(channel);
  try {
    const rules = rulesOf(channel, observer);
    const view = storeForRun(store, rules);
    const session: Session = {
      store: view,
      channel,
      rules,
      observer,
      common: null,
      told: null,
      met: recallMet(view, channel),
      locker: whoLocks(rules, channel, hostname),
      onlyAsks: false,
      sending: new Mutex(),
      maxKeywordLength,
      failure,
      notes: newNotes(),
    };
    return await withUserLock(session, async () => {
      const common = rules.algorithm === 'state' ? await receiveStates(channel) : null;
      return await serve({ ...session, common });
    });
  } catch (thrown) {
    throw await failure.end(thrown);
  }
}

/**
 * A Dovecot leaves nothing out for a special use that its own mail store does not know, so neither do we: it would tell a
 * mailbox that is none of ours.
 */
function rulesOf({ handshake, peer }: Channel, observer: SyncObserver): SessionRules {
  const rules = slaveRules(handshake);
  if (!peer.isDovecot) return rules;
  const exclude = rules.selection.exclude.filter((name) => !isSpecialUse(name));
  for (const name of rules.selection.exclude.filter(isSpecialUse))
    observer.warning?.(`nothing is left out for the special use ${name}, which a Dovecot does not do either`);
  return { ...rules, selection: { ...rules.selection, exclude } };
}

async function serve(session: Session): Promise<SlaveReport> {
  const { channel, notes } = session;
  const trees = await mergeTrees(session);
  const byGuid = new Map<MailboxGuid, MergedMailbox>(trees.mailboxes.map((merged) => [merged.guid, merged]));
  // How many mails are under way at once is left to the master, who knows what comes.
  const inFlight = new InFlight({ items: channel.window, weight: Infinity }, (reason) => session.failure.note(reason));
  for (;;) {
    // Where mailboxes come one after the other, whoever asks for the next one takes messages of the present one.
    await inFlight.room();
    const conversation = await channel.acceptMailbox().catch(async (error: unknown) => {
      // A mailbox that fails closes the channel: the reason is its failure, not that nothing more can be accepted.
      await inFlight.end();
      throw error;
    });
    if (conversation === null) break;
    await inFlight.start(() => answerMailbox(session, conversation, byGuid));
  }
  await inFlight.end();
  await rememberMet(session);
  await channel.session.send(lastWord(session, trees.counts));
  await channel.flush();
  await channel.session.send({ kind: 'done' });
  return { tree: trees.counts, mailboxes: notes.mailboxes, unexpected: notes.unexpected, warnings: notes.warnings };
}

function lastWord(session: Session, tree: TreeCounts): MessageOf<'finish'> {
  const { notes } = session;
  return {
    kind: 'finish',
    ...(notes.requireFullResync ? { requireFullResync: true } : {}),
    ...(notes.unexpected.length > 0 ? { changed: true } : {}),
    ...(notes.warnings.length > 0 ? { warnings: notes.warnings.slice(0, MAX_WARNINGS) } : {}),
    appliedToTree: [tree.mailboxesCreated, tree.mailboxesRenamed, tree.mailboxesDeleted, tree.subscriptions],
  };
}

/** More than a person reads; the own log has them all. */
const MAX_WARNINGS = 100;

async function receiveStates(channel: Channel): Promise<SyncState> {
  const states = new Map<MailboxGuid, MailboxSyncState>();
  await receiveList(channel.session, 'mailboxState', 'saved states', (state) => {
    states.set(state.mailboxGuid, {
      uidValidity: state.lastUidValidity,
      lastCommonUid: state.lastCommonUid,
      lastCommonModseq: state.lastCommonModseq,
      lastCommonPrivateModseq: state.lastCommonPrivateModseq,
      messages: state.messages ?? 0,
    });
  });
  return states;
}
