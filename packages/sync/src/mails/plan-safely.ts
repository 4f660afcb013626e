/**
 * Mails that one side lacks although nobody expunged them, with a Dovecot at the other end. A Dovecot takes a mail of its own
 * that is not in our list, below the last one that both have, for expunged, and of one of ours that
 * it does not have it thinks that it was expunged there. Neither can be argued with, but both go by what is told:
 *
 *     UID       1  2  3  4        the Dovecot's list, of which a filter kept 1 from coming here
 *     UID          2  3  4        our list: the Dovecot expunges its 1
 *     UID      (1) 2  3  4        the list that is told: 1 stands in for what is not here, and stays there
 *
 * A mail that stood in may be fetched, for which it has to get a new UID here; in the next run it is told under that UID alone,
 * and the Dovecot moves its own mail there. One of ours that the Dovecot lacks is moved at once and told under its new UID.
 */
import type { Uid } from '@dsync/protocol';
import type { HeldBack, MailRecord } from '@dsync/storage';

import { isFiltering, mailTest } from './filter.ts';
import { endByPosition } from './common-part.ts';
import { FreeUids } from './free-uids.ts';
import { recordFits } from './guid-fits.ts';
import { apartAfter, type Doubt, doubtOf, strays } from './held-back.ts';
import type { MailMerge, MailMergeContext, MailOperation, MailPlan, MailSide } from './mail-plan.ts';
import { uidNextOf } from './plan-builder.ts';
import { planMails } from './plan-mails.ts';

/** A merge, and what a Dovecot has to be told so that it comes to the same. */
export type SafeMerge =
  | (Extract<MailMerge, { kind: 'plan' }> & {
      /** Mails of the peer's that it has to be told as if they were here. */
      readonly standIns: readonly MailRecord[];
      /** The UIDs under which own mails have to be told, by those that they have. */
      readonly moves: ReadonlyMap<Uid, Uid>;
      /** What only one side has then. */
      readonly apart: HeldBack | null;
    })
  | Extract<MailMerge, { kind: 'stale-state' }>;

/**
 * `planMails` for a Dovecot as the peer. Only in a merge of two ways does it learn what is here, and could expunge anything for
 * it; where this side is the destination, own mails that it may never have had are left alone.
 * @param known what may have been on one side only before; with a common state, what is apart from it is added to that by the caller
 * @throws {SyncError} as `planMails`
 */
export function planSafely(
  local: MailSide,
  remote: MailSide,
  context: MailMergeContext,
  known: HeldBack | null,
): SafeMerge {
  const { mode, filter, common } = context;
  const isTwoWay = mode === 'two-way';
  let end = common?.uid ?? endFor(local, remote, filter);
  let all = NOTHING_TO_GUARD;
  if (mode !== 'backup' && common === null) {
    const doubt = doubtOf(known);
    all = safeguard(local, remote, end, doubt, filter);
    if (all.given.length > 0) {
      // A mail that is told behind all others can let a Dovecot look further.
      end = Math.max(end, endFor(local, remote, filter, true));
      all = safeguard(local, remote, end, doubt, filter);
    }
  }
  const guard = isTwoWay ? all : { ...all, standIns: [], fetched: [] };
  const merge = planMails(withStandIns(local, guard), remote, context);
  if (merge.kind === 'stale-state') return merge;
  const plans = { local: withoutAbsent(merge.local, guard), remote: merge.remote };
  const safe = isTwoWay
    ? withSafeguard(plans, guard, unseenMoves(local, remote, end, filter))
    : { ...plans, moves: NOTHING_MOVES };
  return {
    kind: 'plan',
    ...safe,
    local: isTwoWay && isFiltering(filter) ? withLowUidNext(safe.local, local) : safe.local,
    standIns: guard.standIns,
    equalAfter: merge.equalAfter && all.standIns.length === 0 && (isTwoWay || all.given.length === 0),
    apart: apartAfter(local, remote, safe, {
      from: common?.uid ?? 0,
      end,
      takesAll: isTwoWay && !isFiltering(filter),
    }),
  };
}

/**
 * How far a missing mail can count as expunged: to the end of the common part. A Dovecot does not look at what it lacks and its
 * filter does not want, so that it may find another end than the whole lists have.
 */
function endFor(
  local: MailSide,
  remote: MailSide,
  filter: MailMergeContext['filter'],
  tellsMore: boolean = false,
): number {
  const end = endByPosition(local, remote, tellsMore);
  if (!isFiltering(filter)) return end;
  const isInside = mailTest(filter, local);
  const there = new Set<number>(remote.mails.map(({ uid }) => uid));
  const mails = local.mails.filter((mail) => there.has(mail.uid) || isInside(mail));
  return Math.max(end, endByPosition({ ...local, mails }, remote, tellsMore));
}

const NOTHING_MOVES: ReadonlyMap<Uid, Uid> = new Map();
const NOTHING_TO_GUARD: Safeguard = { standIns: [], fetched: [], given: [] };

/** What has to be done so that no mail counts as expunged which is only not there. */
interface Safeguard {
  /** Mails of the peer's that are told as if they were here. */
  readonly standIns: readonly MailRecord[];
  /** Those of them that are to come here. */
  readonly fetched: readonly MailRecord[];
  /** Own mails, inside the filter, that the peer lacks. */
  readonly given: readonly MailRecord[];
}

/** Both lists are whole. */
function safeguard(
  local: MailSide,
  remote: MailSide,
  end: number,
  doubt: Doubt,
  filter: MailMergeContext['filter'],
): Safeguard {
  const isInside = { local: mailTest(filter, local), remote: mailTest(filter, remote) };
  const believed = local.uidValidity === remote.uidValidity;
  const ours = lackedBy(remote, local, end, believed);
  const alive = new Set(ours);
  const here = strays(local, remote, (mail) => mail.uid > end || alive.has(mail));
  const there = strays(remote, local, (mail) => mail.uid > end);
  const standIns: MailRecord[] = [];
  const fetched: MailRecord[] = [];
  const moved = new Set<MailRecord>();
  for (const mail of lackedBy(local, remote, end, believed)) {
    const own = here.get(mail.guid)?.pop();
    // The peer moves its mail to the UID of ours, if its filter lets it take that.
    if (own !== undefined && isInside.local(own)) moved.add(own);
    else if (own !== undefined) standIns.push(mail);
    else if (!isInside.remote(mail)) standIns.push(mail);
    else if (doubt.ofTheirs(mail.uid)) {
      standIns.push(mail);
      fetched.push(mail);
    }
  }
  const given = ours.filter((mail) => {
    if (!isInside.local(mail)) return false;
    return moved.has(mail) || (doubt.ofOurs(mail.uid) && there.get(mail.guid)?.pop() === undefined);
  });
  return { standIns, fetched, given };
}

/** Mails of `owner` in the common part that `side` has not, and does not remember to have expunged. */
function lackedBy(side: MailSide, owner: MailSide, end: number, believed: boolean): readonly MailRecord[] {
  const there = new Set<number>(side.mails.map(({ uid }) => uid));
  const records = new Map(believed ? side.expunges.map(({ uid, guid }) => [uid, guid]) : []);
  return owner.mails.filter(({ uid, guid }) => {
    if (uid > end || there.has(uid)) return false;
    const record = records.get(uid);
    return record === undefined || recordFits(record, guid) === 'other';
  });
}

/** The own side as the merge is to see it. */
function withStandIns(local: MailSide, { standIns, given }: Safeguard): MailSide {
  if (standIns.length + given.length === 0) return local;
  const moved = new Set(given);
  const stands = new Set<number>(standIns.map(({ uid }) => uid));
  const mails = [...local.mails.filter((mail) => !moved.has(mail)), ...standIns].sort((a, b) => a.uid - b.uid);
  return { ...local, mails, expunges: local.expunges.filter(({ uid }) => !stands.has(uid)), absent: stands };
}

/** Instances of one mail can be paired so that a stand-in would get another UID: there is nothing to be moved. */
function withoutAbsent(plan: MailPlan, { standIns }: Safeguard): MailPlan {
  if (standIns.length === 0) return plan;
  const absent = new Set<number>(standIns.map(({ uid }) => uid));
  const isOfAbsent = (operation: MailOperation): boolean =>
    (operation.op === 'renumber' && absent.has(operation.from)) ||
    ((operation.op === 'flag' || operation.op === 'expunge') && absent.has(operation.uid));
  return { ...plan, operations: plan.operations.filter((operation) => !isOfAbsent(operation)) };
}

/**
 * UIDNEXT goes no further than what is here: a Dovecot gives new UIDs to mails that it alone has behind the common part and
 * below its peer's UIDNEXT, and would do so in every run with the filter.
 */
function withLowUidNext(plan: MailPlan, local: MailSide): MailPlan {
  let uidNext = uidNextOf(local);
  for (const operation of plan.operations) {
    if (operation.op === 'save' || operation.op === 'copy') uidNext = Math.max(uidNext, operation.uid + 1);
    else if (operation.op === 'renumber') uidNext = Math.max(uidNext, operation.to + 1);
  }
  return { ...plan, uidNext };
}

interface Safe {
  readonly local: MailPlan;
  readonly remote: MailPlan;
  /** The UIDs under which own mails are told, by those that they have. */
  readonly moves: ReadonlyMap<Uid, Uid>;
}

/**
 * The plans of both sides with what the safeguard adds to them.
 * @param unseen how many of the peer's mails it may itself give new UIDs that the plan does not know of
 * @throws {SyncError} `UidsExhausted`
 */
function withSafeguard(
  plans: { readonly local: MailPlan; readonly remote: MailPlan },
  { fetched, given }: Safeguard,
  unseen: number,
): Safe {
  const behind = given.length + fetched.length > 0 ? unseen : 0;
  const free = new FreeUids(Math.max(plans.local.uidNext, plans.remote.uidNext) + behind);
  const moves = new Map<Uid, Uid>();
  const here: MailOperation[] = [];
  const there: MailOperation[] = [];
  const rule = 'missing-without-record';
  for (const mail of given) {
    const { uid: from, guid, flags, keywords, modseq } = mail;
    const to = free.take();
    moves.set(from, to);
    here.push({ op: 'renumber', from, to, guid, rule });
    there.push({ op: 'save', uid: to, guid, flags, keywords, modseq, remoteUid: from, rule });
  }
  const uidNextThere = free.next;
  for (const { uid: remoteUid, guid, flags, keywords, modseq } of fetched)
    here.push({ op: 'save', uid: free.take(), guid, flags, keywords, modseq, remoteUid, rule });
  return {
    local: extended(plans.local, here, free.next),
    remote: extended(plans.remote, there, uidNextThere),
    moves,
  };
}

function extended(plan: MailPlan, operations: readonly MailOperation[], uidNext: number): MailPlan {
  if (operations.length === 0) return plan;
  return { ...plan, operations: [...plan.operations, ...operations], uidNext: Math.max(plan.uidNext, uidNext) };
}

/** How many of the peer's mails are left alone, although it will give them new UIDs. */
function unseenMoves(local: MailSide, remote: MailSide, end: number, filter: MailMergeContext['filter']): number {
  const isInside = mailTest(filter, remote);
  return remote.mails.filter((mail) => mail.uid > end && mail.uid < local.uidNext && !isInside(mail)).length;
}
