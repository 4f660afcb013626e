/**
 * What a side remembers of its mailboxes for the next run with the same Dovecot. A Dovecot goes by a few numbers to see whether
 * a mailbox has to be looked at, and those of both sides can be the same by chance; our own kind goes by a digest. And to a
 * Dovecot a mail that is missing is one that was expunged, so it has to be known which are missing for another reason.
 */
import type { Channel, MailboxGuid, MessageOf, Modseq, Uid } from '@dsync/protocol';
import {
  type HeldBack,
  type MailboxStatus,
  type MailFacts,
  type MailStore,
  type Met,
  StoreError,
} from '@dsync/storage';

import { mailTest } from '../mails/filter.ts';
import { allHeldBack, cameBetween, doubtfulIn, eitherHeldBack, leavesRoom, sameHeldBack } from '../mails/held-back.ts';
import type { MailPlan } from '../mails/mail-plan.ts';
import { rangesOf, sameRanges } from '../mails/uid-ranges.ts';
import { isUnchanged, type MailboxSyncState } from '../state/sync-state.ts';
import { sideNumbers } from './announce-mailbox.ts';
import { everythingIn } from './changes-since.ts';
import { isFiltering } from './handshake.ts';
import type { MailboxOutcome } from './mailbox-conversation.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import type { MailboxView } from './mailbox-view.ts';
import { peerIsOurs, type Session } from './session.ts';

/** What the store knows of earlier runs with this peer; nothing where it is of no use. */
export function recallMet(store: MailStore, channel: Channel): Session['met'] {
  return channel.peer.isDovecot ? (store.recall?.(channel.peer.hostname) ?? new Map()) : new Map();
}

/** At the end of a run: what a later one shall know. */
export async function rememberMet({ store, channel, met, notes }: Session): Promise<void> {
  const changed = [...notes.met].filter(([guid, now]) => !isSame(met.get(guid), now));
  if (changed.length > 0) await store.remember?.(channel.peer.hostname, new Map(changed));
}

function isSame(before: Met | undefined, now: Met): boolean {
  return before?.highestModseq === now.highestModseq && sameHeldBack(before.heldBack, now.heldBack);
}

/** Whether the state of `-s`, or what is remembered of the last run, shows that a mailbox has to be looked at. */
export function hasChanged({ told, met, rules, channel }: Session, guid: MailboxGuid, status: MailboxStatus): boolean {
  if (rules.algorithm !== 'changed' || peerIsOurs(channel)) return false;
  const state = told?.get(guid);
  if (isApart({ met, rules }, guid)) return true;
  const modseq = met.get(guid)?.highestModseq ?? status.highestModseq;
  return modseq !== status.highestModseq || (state !== undefined && !isUnchanged(state, status));
}

/**
 * The own modseq when this side last met the Dovecot, if a mailbox's state was made after that: by two Dovecots of which one
 * had this very store. Its modseqs are then those of that Dovecot's index, and say nothing of what this side's history has.
 */
export function metBefore(met: Session['met'], guid: MailboxGuid, state: MailboxSyncState): Modseq | null {
  const before = met.get(guid)?.highestModseq ?? null;
  return before !== null && state.lastCommonModseq > before ? before : null;
}

/** Which mails one side lacks for all that is known; all of them may be of a mailbox of which nothing is. */
export function heldBackIn(
  { met }: Session,
  { ours, theirs }: { readonly ours: MessageOf<'mailbox'>; readonly theirs: MessageOf<'mailbox'> },
): HeldBack | null {
  const known = met.get(ours.mailboxGuid);
  return known === undefined ? allHeldBack(ours.uidValidity) : doubtfulIn(known.heldBack, ours, theirs);
}

/**
 * The same after a run in which this side is the source, and is not told what the other side has. A mailbox that is made equal
 * has nothing apart; else what the peer lacks is what it lacked, and what the filter keeps from it.
 */
export function apartFromSource(
  { met, rules }: Session,
  { ours, changes }: MailboxTalk,
  facts: ReadonlyMap<Uid, MailFacts> | null,
): HeldBack | null {
  const { mailboxGuid, uidValidity } = ours;
  const isFiltered = isFiltering(rules.filter);
  if (rules.mode === 'backup' && !isFiltered) return null;
  const nothing = { uidValidity, theirs: [], ours: allHeldBack(uidValidity).ours };
  const known = met.has(mailboxGuid) ? (met.get(mailboxGuid)?.heldBack ?? null) : nothing;
  if (!isFiltered) return known;
  const side = { ...sideNumbers(ours), ...changes };
  const isInside = mailTest(rules.filter, facts === null ? side : { ...side, facts });
  const outside = rangesOf(changes.mails.filter((mail) => !isInside(mail)).map(({ uid }) => uid));
  return eitherHeldBack(known, { uidValidity, theirs: [], ours: outside });
}

/** Whether one side lacks mails of a mailbox for another reason than that they were expunged. */
export function isApart({ met, rules }: Pick<Session, 'met' | 'rules'>, guid: MailboxGuid): boolean {
  return rules.mode === 'two-way' && (met.get(guid)?.heldBack ?? null) !== null;
}

/**
 * Whether a Dovecot as the destination of a one-way run would expunge mails that a filter has kept from coming here: it does not
 * tell them then, so that nothing can stand in for them. `backup` is to do just that.
 */
export function wouldExpunge({ met, rules, channel }: Session, guid: MailboxGuid): boolean {
  if (!channel.peer.isDovecot || rules.dryRun || rules.mode !== 'one-way' || rules.localIs !== 'source') return false;
  const theirs = met.get(guid)?.heldBack?.theirs ?? [];
  return theirs.length > 0 && !sameRanges(theirs, allHeldBack(1).theirs);
}

/** Notes a mailbox whose numbers are the same at both sides. Of one that was never looked at they prove nothing. */
export function noteEqual(session: Session, ours: MessageOf<'mailbox'>, theirs: MessageOf<'mailbox'>): void {
  if (!isNeeded(session)) return;
  const { mailboxGuid, highestModseq } = ours;
  session.notes.met.set(mailboxGuid, { highestModseq, heldBack: heldBackIn(session, { ours, theirs }) });
}

/**
 * Before a Dovecot is told what it may act upon: what will be apart is known from now on, whatever becomes of the run. Of a mailbox of
 * which nothing is known all of it is in doubt already.
 */
export async function expectApart(session: Session, guid: MailboxGuid, apart: HeldBack | null): Promise<void> {
  const known = session.met.get(guid);
  if (!isNeeded(session) || known === undefined) return;
  const heldBack = eitherHeldBack(known.heldBack, apart);
  if (sameHeldBack(known.heldBack, heldBack)) return;
  await session.store.remember?.(session.channel.peer.hostname, new Map([[guid, { ...known, heldBack }]]));
}

/** Notes a mailbox that both sides have looked at. What users have changed meanwhile is still to be looked at. */
export async function noteMet(
  session: Session,
  { view, message }: { readonly view: MailboxView; readonly message: MessageOf<'mailbox'> },
  { report, stale, highestModseq: meant, plan, apart }: MailboxOutcome,
): Promise<void> {
  const { notes, rules, met } = session;
  if (!isNeeded(session) || stale !== null) return;
  const guid = message.mailboxGuid;
  const isUntouched = Object.values(report.local).every((count) => count === 0);
  try {
    const arrived = plan === null ? null : await arrivedBelow(view, message, plan);
    // At once: the rest of the run may come to nothing.
    if (arrived !== null) await expectApart(session, guid, arrived);
    const heldBack = eitherHeldBack(apart, arrived);
    // What a filter holds back has not been looked at.
    if (isFiltering(rules.filter)) {
      notes.met.set(guid, { highestModseq: met.get(guid)?.highestModseq ?? null, heldBack });
      return;
    }
    const highestModseq = isUntouched ? meant : (await view.status()).highestModseq;
    notes.met.set(guid, { highestModseq, heldBack });
  } catch (error) {
    // Deleted meanwhile.
    if (!(error instanceof StoreError) || error.code !== 'NotFound') throw error;
  }
}

/** Mails that were delivered here during the run, under UIDs below those that it gave. */
async function arrivedBelow(
  view: MailboxView,
  { uidNext }: MessageOf<'mailbox'>,
  plan: MailPlan,
): Promise<HeldBack | null> {
  const room = { uidNext, plan };
  if (!leavesRoom(room)) return null;
  const ours = cameBetween(room, (await everythingIn(view)).mails);
  return ours.length === 0 ? null : { uidValidity: plan.uidValidity, theirs: [], ours };
}

function isNeeded({ channel, rules }: Pick<Session, 'channel' | 'rules'>): boolean {
  return channel.peer.isDovecot && !rules.dryRun;
}
