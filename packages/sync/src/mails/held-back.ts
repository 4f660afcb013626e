/**
 * Mails of which one side of a mailbox has none because of a filter, or for a reason that nobody knows: what is remembered of
 * them from one run with a Dovecot to the next.
 */
import { MAX_UID, type Uid } from '@dsync/protocol';
import type { HeldBack, MailRecord, UidRanges } from '@dsync/storage';

import type { MailPlan, MailSide } from './mail-plan.ts';
import { hasUid, rangesOf, sameRanges, unionOf } from './uid-ranges.ts';

/** Of which mails it is not certain that both sides ever had them, so that one that is missing says nothing. */
export interface Doubt {
  readonly ofTheirs: (uid: Uid) => boolean;
  readonly ofOurs: (uid: Uid) => boolean;
}

/**
 * What may be on one side only.
 * @param known what earlier runs have left; null: nothing. Of mailboxes with other UIDs it says nothing
 */
export function doubtfulIn(
  known: HeldBack | null,
  local: Pick<MailSide, 'uidValidity'>,
  remote: Pick<MailSide, 'uidValidity'>,
): HeldBack | null {
  const { uidValidity } = local;
  const isAboutThem = uidValidity === remote.uidValidity && (known === null || known.uidValidity === uidValidity);
  return isAboutThem ? known : allHeldBack(uidValidity);
}

/** @param known null: nothing is in doubt */
export function doubtOf(known: HeldBack | null): Doubt {
  if (known === null) return { ofTheirs: () => false, ofOurs: () => false };
  return { ofTheirs: (uid) => hasUid(known.theirs, uid), ofOurs: (uid) => hasUid(known.ours, uid) };
}

/**
 * What only one side has when both plans are carried out; null: nothing.
 * @param from UIDs up to this one are common for certain, and not all listed
 * @param end of the common part
 * @param takesAll whether the peer takes what it lacks
 */
export function apartAfter(
  local: MailSide,
  remote: MailSide,
  plans: { readonly local: MailPlan; readonly remote: MailPlan },
  { from, end, takesAll }: { readonly from: number; readonly end: number; readonly takesAll: boolean },
): HeldBack | null {
  const { uidValidity, uidNext } = plans.local;
  const mine = outcomeOf(plans.local);
  const goneThere = outcomeOf(plans.remote).expunged;
  const strayHere = strays(local, remote);
  const here = new Map<number, string>(local.mails.map(({ uid, guid }) => [uid, guid]));
  const theirs = remote.mails.filter(
    ({ uid, guid }) =>
      uid > from && !mine.saved.has(uid) && !goneThere.has(uid) && here.get(uid) !== guid && !strayHere.has(guid),
  );
  // They get UIDs that only the peer knows.
  const unsteady = theirs.filter(({ uid }) => uid > end && uid < local.uidNext).length;
  const first = Math.max(local.uidNext, remote.uidNext);
  const anywhere: UidRanges = unsteady === 0 ? [] : [[first, Math.min(MAX_UID, uidNext + unsteady)]];
  const ours = takesAll
    ? []
    : [...strayHere.values()].flat().filter(({ uid }) => uid > from && !mine.expunged.has(uid));
  const heldBack = {
    uidValidity,
    theirs: unionOf(rangesOf(theirs.map(({ uid }) => uid)), anywhere),
    ours: rangesOf(ours.map(({ uid }) => mine.moved.get(uid) ?? uid)),
  };
  return heldBack.theirs.length + heldBack.ours.length === 0 ? null : heldBack;
}

/** Where mails may have come that nobody was told of, below the UIDs that a plan has given. */
export interface Room {
  /** As it was told. */
  readonly uidNext: number;
  readonly plan: MailPlan;
}

/** Whether there is a UID that the plan does not give, from the told UIDNEXT up to its own. */
export function leavesRoom({ uidNext, plan }: Room): boolean {
  return givenIn(plan).size < plan.uidNext - uidNext;
}

/** The mails that have come there meanwhile. A Dovecot would take them for mails that it has expunged. */
export function cameBetween({ uidNext, plan }: Room, mails: readonly MailRecord[]): UidRanges {
  const given = givenIn(plan);
  return rangesOf(mails.map(({ uid }) => uid).filter((uid) => uid >= uidNext && uid < plan.uidNext && !given.has(uid)));
}

/** UIDs that mails get. None of them is another mail's afterwards: what came under one had to make way. */
function givenIn({ operations }: MailPlan): ReadonlySet<number> {
  const given = new Set<number>();
  for (const operation of operations) {
    if (operation.op === 'renumber') given.add(operation.to);
    else if (operation.op !== 'flag' && operation.op !== 'expunge') given.add(operation.uid);
  }
  return given;
}

interface Outcome {
  /** The other side's UIDs. */
  readonly saved: ReadonlySet<number>;
  readonly expunged: ReadonlySet<number>;
  readonly moved: ReadonlyMap<number, number>;
}

function outcomeOf({ operations }: MailPlan): Outcome {
  const saved = new Set<number>();
  const expunged = new Set<number>();
  const moved = new Map<number, number>();
  for (const operation of operations) {
    if (operation.op === 'save') saved.add(operation.remoteUid);
    else if (operation.op === 'expunge') expunged.add(operation.uid);
    else if (operation.op === 'renumber') moved.set(operation.from, operation.to);
  }
  return { saved, expunged, moved };
}

/** All that either says. */
export function eitherHeldBack(a: HeldBack | null, b: HeldBack | null): HeldBack | null {
  if (a === null || b === null) return a ?? b;
  if (a.uidValidity !== b.uidValidity) return allHeldBack(b.uidValidity);
  return { uidValidity: b.uidValidity, theirs: unionOf(a.theirs, b.theirs), ours: unionOf(a.ours, b.ours) };
}

/** Of a mailbox of which nothing is known. */
export function allHeldBack(uidValidity: number): HeldBack {
  return { uidValidity, theirs: [[1, MAX_UID]], ours: [[1, MAX_UID]] };
}

/** Whether there is nothing new to remember. */
export function sameHeldBack(a: HeldBack | null, b: HeldBack | null): boolean {
  if (a === null || b === null) return a === b;
  return a.uidValidity === b.uidValidity && sameRanges(a.theirs, b.theirs) && sameRanges(a.ours, b.ours);
}

/** Such mails of `side` that the other side does not have under their UIDs, by GUID; the first at the end. */
export function strays(
  side: MailSide,
  other: MailSide,
  isSuch: (mail: MailRecord) => boolean = () => true,
): ReadonlyMap<string, MailRecord[]> {
  const there = new Map<number, string>(other.mails.map(({ uid, guid }) => [uid, guid]));
  const found = new Map<string, MailRecord[]>();
  for (const mail of side.mails.toReversed()) {
    if (there.get(mail.uid) === mail.guid || !isSuch(mail)) continue;
    const same = found.get(mail.guid);
    if (same === undefined) found.set(mail.guid, [mail]);
    else same.push(mail);
  }
  return found;
}
