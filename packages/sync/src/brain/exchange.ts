/** What both tracks of the conversation about one mailbox share. */
import type { MessageOf, Uid } from '@dsync/protocol';
import type { Attribute, HeldBack, MailboxChanges, MailFacts, MailRecord, PrivateFlags } from '@dsync/storage';

import { identityOf } from '../mails/identity.ts';
import type { MailPlan } from '../mails/mail-plan.ts';
import { RefusedKeywords } from '../mails/refused-keywords.ts';
import type { MailboxReport, MailCounts } from '../report.ts';
import { countMails, NO_MAILS } from './count-mails.ts';
import { type Deferred, deferred } from './deferred.ts';
import { ownState } from './end-states.ts';
import { needsFacts } from './handshake.ts';
import type { MailImport } from './mail-import.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { apartFromSource, heldBackIn } from './met-before.ts';
import { privateFlagsAfter } from './merge-lists.ts';
import { Recognition } from './recognition.ts';
import type { Session } from './session.ts';
import type { ToldList } from './told-list.ts';

/** One conversation: what is known at its beginning, what one track waits for from the other, and what has been found out. */
export interface Exchange extends AsyncDisposable {
  readonly session: Session;
  readonly talk: MailboxTalk;
  readonly facts: ReadonlyMap<Uid, MailFacts> | null;
  readonly attributes: readonly Attribute[];
  readonly recognition: Recognition;
  readonly part: Part;
  readonly events: Events;
  readonly found: Findings;
}

/** What this side does in the conversation; the other side does the counterpart. */
interface Part {
  readonly sendsLists: boolean;
  readonly receivesLists: boolean;
  readonly sendsMails: boolean;
  readonly receivesMails: boolean;
}

interface Events {
  /** The peer's whole change list has come and the merge is done. */
  readonly planned: Deferred<MailPlan>;
  /** Every request of the peer has come. */
  readonly requested: Deferred<readonly MessageOf<'mailRequest'>[]>;
  /** The mails that the peer asked for are sent. */
  readonly sent: Deferred<void>;
  /** Everything received is stored and committed. */
  readonly applied: Deferred<MailCounts>;
  readonly peerState: Deferred<MessageOf<'mailboxState'>>;
}

interface Findings {
  /** What is told to have changed here. */
  changes: MailboxChanges;
  /** null: there is none, or none yet. */
  plan: MailPlan | null;
  /** The own list as the peer is to be told it, if that depends on the peer's. */
  list: ToldList | null;
  /** UIDs under which own mails are told, by those that they have. */
  moves: ReadonlyMap<Uid, Uid>;
  /** What only one side has afterwards. */
  apart: HeldBack | null;
  /** Whether both sides hold the same afterwards; if not, nothing is common that a later run could start from. */
  equalAfter: boolean;
  /** Carries out the plan; null: there is nothing to carry out here. */
  incoming: MailImport | null;
  /** Of a dry run. */
  plans: MailboxReport['plan'];
  /** Why the common state does not hold. */
  stale: string | null;
  /** Of a mailbox that was compared from a common state, when this side's plan is carried out. */
  digest: string | undefined;
  /** As this side will remember them; null: it has none, or there is no plan that could be carried out. */
  privateFlags: PrivateFlags | null;
  remoteCounts: MailCounts;
}

/** Reads what the conversation needs of the own mailbox. */
export async function openExchange(session: Session, asked: MailboxTalk): Promise<Exchange> {
  const { view, ours, theirs } = asked;
  const facts = needsFacts(session.rules.filter) ? await view.facts() : null;
  const recognition = new Recognition(session, view, identityOf(session.rules.localIs, ours, theirs));
  const talk = { ...asked, changes: await recognition.prepare(asked.changes, theirs.messages) };
  const part = partOf(session);
  const attributes = await view.attributes();
  const found: Findings = {
    changes: refusedBy(session)?.hideIn(talk.changes) ?? talk.changes,
    plan: null,
    list: null,
    moves: new Map(),
    apart: part.receivesLists ? heldBackIn(session, talk) : apartFromSource(session, talk, facts),
    equalAfter: true,
    incoming: null,
    plans: undefined,
    stale: null,
    digest: undefined,
    privateFlags: privateFlagsAfter(talk, null, null),
    remoteCounts: NO_MAILS,
  };
  const events: Events = {
    planned: deferred(),
    requested: deferred(),
    sent: deferred(),
    applied: deferred(),
    peerState: deferred(),
  };
  const dispose = async (): Promise<void> => await found.incoming?.[Symbol.asyncDispose]();
  return { session, talk, facts, attributes, recognition, part, events, found, [Symbol.asyncDispose]: dispose };
}

/**
 * Keywords that are not told.
 * @param theirs the peer's list, as far as it is known
 * @returns null: all are told
 */
export function refusedBy(
  { channel, maxKeywordLength }: Session,
  theirs?: readonly MailRecord[],
): RefusedKeywords | null {
  return channel.peer.isDovecot ? new RefusedKeywords(maxKeywordLength, theirs) : null;
}

/**
 * A source sends no requests and receives no mails; a destination sends neither lists nor mails. In a dry run both send their
 * lists, so that both plans can be shown, and nothing else; a Dovecot is asked as the source of a backup then (dry-run.ts).
 */
function partOf({ rules: { localIs, dryRun }, onlyAsks }: Session): Part {
  return {
    sendsLists: (localIs !== 'destination' || dryRun) && !onlyAsks,
    receivesLists: localIs !== 'source' || dryRun,
    sendsMails: localIs !== 'destination' && !dryRun,
    receivesMails: localIs !== 'source' && !dryRun,
  };
}

/** What is told and reported of what was done here: of a dry run what it would have done. */
export function toldCounts({ found }: Exchange, done: MailCounts): MailCounts {
  return found.plans === undefined ? done : countMails(found.plans.local);
}

/** What this side can say to be common when `done` has been done. */
export function ownStateOf(exchange: Exchange, done: MailCounts): MessageOf<'mailboxState'> {
  const { session, talk, found } = exchange;
  return ownState({
    ours: talk.ours,
    theirs: talk.theirs,
    isSource: session.rules.localIs === 'source',
    plan: found.plan,
    done,
    told: toldCounts(exchange, done),
    isEqual: found.equalAfter,
    isStale: found.stale !== null,
    uidsChanged: found.incoming?.uidsChanged ?? false,
    digest: found.digest,
  });
}
