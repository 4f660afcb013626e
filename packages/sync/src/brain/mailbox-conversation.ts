/**
 * The conversation about one mailbox, the same code for both ends (docs/protocol.md, "Messages"). The caller has exchanged
 * the `mailbox` messages and opened and locked the mailbox.
 *
 *     send track:     attributes . changes . ------ requests . --- mails . ------------- state
 *                                             ^                 ^         |         ^
 *                                  peer's changes      peer's requests    +-> everything applied
 *     receive track:  attributes . changes . requests . mails . state
 *
 * The receive track never waits for the send track, so neither end can block the other by not reading.
 */
import type { Modseq } from '@dsync/protocol';
import type { HeldBack, PrivateFlags } from '@dsync/storage';

import type { MailPlan } from '../mails/mail-plan.ts';
import { largerModseq } from '../mails/plan-builder.ts';
import type { MailboxReport, MailCounts } from '../report.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import { allEnded } from './deferred.ts';
import { commonState } from './end-states.ts';
import { openExchange, ownStateOf, toldCounts, type Exchange } from './exchange.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { receiveTrack } from './receive-track.ts';
import { sendTrack } from './send-track.ts';
import type { Session } from './session.ts';

/** What a conversation came to, for the report, the new state and the journal. */
export interface MailboxOutcome {
  readonly report: MailboxReport;
  /** What is common now; null: do not trust, look at everything next time. */
  readonly state: MailboxSyncState | null;
  /** Why the common state does not hold. */
  readonly stale: string | null;
  /** HIGHESTMODSEQ on this side if the run had nothing else to do here. */
  readonly highestModseq: Modseq;
  /** What is to be remembered of private flags; null: there are none, or it is not certain which mails have them. */
  readonly privateFlags: PrivateFlags | null;
  /** What was carried out here; null: there was nothing. */
  readonly plan: MailPlan | null;
  /** What only one side has now. */
  readonly apart: HeldBack | null;
}

/**
 * Synchronises one mailbox.
 * @throws {ProtocolError} what the peer does wrong; {StoreError} what the own store cannot do
 */
export async function talkAboutMailbox(session: Session, talk: MailboxTalk): Promise<MailboxOutcome> {
  await using exchange = await openExchange(session, talk);
  const { planned, requested, sent, applied, peerState } = exchange.events;
  await allEnded([sendTrack(exchange), receiveTrack(exchange)], (reason) => {
    for (const waiting of [planned, requested, sent, applied, peerState]) waiting.reject(reason);
    // The other track may be waiting for the peer; nothing more can come of this session.
    session.failure.note(reason);
  });
  return await outcomeOf(exchange);
}

async function outcomeOf(exchange: Exchange): Promise<MailboxOutcome> {
  const { talk, events, found } = exchange;
  const done = await events.applied.promise;
  const theirs = await events.peerState.promise;
  if (found.digest !== undefined && theirs.digest !== undefined && theirs.digest !== found.digest)
    found.stale ??= 'both sides’ changes since then do not make them equal';
  const { highestModseq } = talk.ours;
  return {
    report: reportOf(exchange, done),
    state: commonState(ownStateOf(exchange, done), theirs, found.stale !== null),
    stale: found.stale,
    highestModseq: largerModseq(highestModseq, found.plan?.highestModseq ?? highestModseq),
    privateFlags: found.incoming?.uidsChanged ? null : found.privateFlags,
    plan: found.plan,
    apart: found.apart,
  };
}

function reportOf(exchange: Exchange, done: MailCounts): MailboxReport {
  const { talk, found } = exchange;
  return {
    path: talk.view.path,
    guid: talk.ours.mailboxGuid,
    local: toldCounts(exchange, done),
    remote: found.remoteCounts,
    ...(found.plans === undefined ? {} : { plan: found.plans }),
  };
}
