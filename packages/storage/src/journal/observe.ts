/**
 * What others did to a mailbox since it was last looked at, told from what is remembered and what is there now.
 *
 * Modseqs: all mails that arrived together get one new modseq, all that were expunged together another, and each mail
 * whose flags changed its own; so the side where users changed more has the higher modseq.
 */
import {
  uid as checkedUid,
  type MailboxGuid,
  type MailboxPath,
  type MailGuid,
  type Modseq,
  type Uid,
} from '@dsync/protocol';

import { addToDigest, mailDigest, subtractFromDigest } from '../digest.ts';
import { freshMail } from './fresh-mail.ts';
import type { JournalExpunge, JournalHead, JournalMail, JournalStep } from './journal.ts';
import { normalKeywords, sameKeywords, withoutKeywords } from './keywords.ts';

/** A mail as it lies in the store now. */
export interface ObservedMail {
  readonly uid: Uid;
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly name: string;
}

/** A user's last action on a mail, which no comparison shows: flags and keywords that came after the last look, and were taken away again. */
export interface Undone {
  readonly flags: number;
  readonly keywords: readonly string[];
  /** The least modseq of it. */
  readonly modseq: Modseq;
}

/** What another program's own history tells. */
export interface Others {
  /** How far it has been read, in the driver's words. */
  readonly readTo: string;
  /** By UID. */
  readonly undone: ReadonlyMap<number, Undone>;
}

/** A mailbox as it is now. */
export interface Listing {
  readonly guid: MailboxGuid;
  readonly path: MailboxPath;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly firstRecentUid: number;
  /** Ascending UIDs, all below `uidNext`. */
  readonly mails: readonly ObservedMail[];
  readonly fingerprint: string;
  /** Mails that came and went unseen, as far as another program has noted them; asked for only if there may be any. */
  readonly passed?: () => ReadonlyMap<number, string>;
  readonly others?: Others;
}

/** A mailbox as the journal has it. */
export interface Remembered {
  readonly head: JournalHead;
  /** Every mail, ascending UIDs. */
  readonly mails: readonly JournalMail[];
}

/** What a comparison found. */
export interface Observation {
  /** To be written if `changed`. */
  readonly step: JournalStep;
  /** Whether anything differs from what is remembered, be it only the fingerprint. */
  readonly changed: boolean;
}

/**
 * A mailbox never seen before, one with another UIDVALIDITY, and one whose UIDNEXT went back (an older copy was put in
 * its place) begin anew: all mails count as equally old, and nothing is known to have been expunged or changed.
 */
export function observe(previous: Remembered | null, listing: Listing): Observation {
  if (previous === null) return { step: { ...baseline(listing, 1n, 0n), before: null }, changed: true };
  const { head } = previous;
  if (head.uidValidity !== listing.uidValidity || listing.uidNext < head.uidNext) {
    let rest = head.digest;
    for (const mail of previous.mails) rest = subtractFromDigest(rest, mailDigest(mail));
    return { step: { ...baseline(listing, head.highestModseq + 1n, rest), before: head }, changed: true };
  }
  return compare(previous, listing);
}

/** The head that counts from now on as looked at by a sync: per-mail modseqs begin (`baseModseq`). */
export function beginTracking(head: JournalHead): JournalHead {
  return head.baseModseq > 0n ? head : { ...head, baseModseq: head.highestModseq };
}

/** The modseq of a mail as a sync sees it. */
export function countedModseq(head: JournalHead, mail: JournalMail): Modseq {
  return mail.modseq > head.baseModseq ? mail.modseq : head.baseModseq;
}

function baseline(listing: Listing, modseq: Modseq, digestOfAttributes: bigint): JournalStep {
  const put = listing.mails.map((mail) => freshMail(mail, modseq));
  const digest = put.reduce((sum, mail) => addToDigest(sum, mailDigest(mail)), digestOfAttributes);
  const { mails, passed: _, others, ...numbers } = listing;
  const readTo = readToOf(others);
  return {
    head: {
      ...numbers,
      ...readTo,
      highestModseq: modseq,
      baseModseq: 0n,
      messages: mails.length,
      digest,
      historyFrom: modseq,
    },
    reset: true,
    put,
  };
}

function compare({ head, mails }: Remembered, listing: Listing): Observation {
  const arrived: ObservedMail[] = [];
  const expunged: JournalMail[] = [];
  const replaced: (readonly [JournalMail, ObservedMail])[] = [];
  const undone = listing.others?.undone;
  walk(mails, listing.mails, (before, now) => {
    if (before === undefined) {
      if (now !== undefined) arrived.push(now);
    } else if (now === undefined) expunged.push(before);
    else if (!sameRow(before, now) || undone?.has(now.uid) === true) replaced.push([before, now]);
  });

  const tally = new Tally(head);
  const put: JournalMail[] = [];
  const passed = passedUnseen(head, arrived, listing);
  if (expunged.length + passed.length > 0) tally.next();
  for (const mail of expunged) tally.take(mail);
  const expunges = [...expunged, ...passed].map(({ uid, guid }): JournalExpunge => ({
    uid,
    guid,
    modseq: tally.highest,
  }));
  for (const [before, now] of replaced) {
    const action = untold(before, now, undone?.get(now.uid));
    if (action === null && sameRow(before, now)) continue;
    if (isChange(before, now) || action !== null) tally.next(action?.modseq);
    const mail = withUndone(changedMail(before, now, tally.highest), action, tally.highest);
    tally.take(before);
    tally.add(mail);
    put.push(mail);
  }
  if (arrived.length > 0) tally.next();
  for (const now of arrived) {
    const action = untold(null, now, undone?.get(now.uid));
    if (action !== null) tally.next(action.modseq);
    const mail = withUndone(freshMail(now, tally.highest), action, tally.highest);
    tally.add(mail);
    put.push(mail);
  }

  const { mails: _mails, passed: _passed, others, ...numbers } = listing;
  const next: JournalHead = {
    ...head,
    ...numbers,
    ...readToOf(others),
    highestModseq: tally.highest,
    messages: listing.mails.length,
    digest: tally.digest,
  };
  const changed = put.length > 0 || expunges.length > 0 || !sameHead(head, next);
  return {
    step: { before: head, head: next, put, remove: expunged.map(({ uid }) => uid), expunged: expunges },
    changed,
  };
}

/** UIDs are given once: what has one above those that were given at the last look, and is not there, came and went since. */
function passedUnseen(
  { uidNext }: JournalHead,
  arrived: readonly ObservedMail[],
  listing: Listing,
): { readonly uid: Uid; readonly guid: string }[] {
  const here = new Set<number>(arrived.map(({ uid }) => uid));
  if (listing.passed === undefined || listing.uidNext - uidNext <= here.size) return [];
  return [...listing.passed()]
    .filter(([uid]) => uid >= uidNext && uid < listing.uidNext && !here.has(uid))
    .map(([uid, guid]) => ({ uid: checkedUid(uid), guid }));
}

/** Calls `visit` for every UID of two ascending lists, in order. */
function walk<A extends { readonly uid: number }, B extends { readonly uid: number }>(
  left: readonly A[],
  right: readonly B[],
  visit: (a: A | undefined, b: B | undefined) => void,
): void {
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const a = left[i];
    const b = right[j];
    const x = a?.uid ?? Infinity;
    const y = b?.uid ?? Infinity;
    visit(x <= y ? a : undefined, y <= x ? b : undefined);
    if (x <= y) i++;
    if (y <= x) j++;
  }
}

/** The running digest and HIGHESTMODSEQ of a comparison. */
class Tally {
  digest: bigint;
  highest: Modseq;

  constructor(head: JournalHead) {
    this.digest = head.digest;
    this.highest = head.highestModseq;
  }

  next(atLeast: Modseq = 0n): void {
    this.highest++;
    if (atLeast > this.highest) this.highest = atLeast;
  }

  add(mail: JournalMail): void {
    this.digest = addToDigest(this.digest, mailDigest(mail));
  }

  take(mail: JournalMail): void {
    this.digest = subtractFromDigest(this.digest, mailDigest(mail));
  }
}

function changedMail(before: JournalMail, now: ObservedMail, modseq: Modseq): JournalMail {
  // Another mail under the same UID: nobody's action on the former one is an action on this.
  if (before.guid !== now.guid) return freshMail(now, modseq);
  const keywords = normalKeywords(now.keywords);
  const added = now.flags & ~before.flags;
  const removed = before.flags & ~now.flags;
  const addedKeywords = withoutKeywords(keywords, before.keywords);
  const removedKeywords = withoutKeywords(before.keywords, keywords);
  return {
    ...before,
    name: now.name,
    modseq: isChange(before, now) ? modseq : before.modseq,
    flags: now.flags,
    keywords,
    addedFlags: (before.addedFlags | added) & ~removed,
    removedFlags: (before.removedFlags | removed) & ~added,
    addedKeywords: normalKeywords([...withoutKeywords(before.addedKeywords, removedKeywords), ...addedKeywords]),
    removedKeywords: normalKeywords([...withoutKeywords(before.removedKeywords, addedKeywords), ...removedKeywords]),
  };
}

function readToOf(others: Others | undefined): { readonly readTo?: string } {
  return others === undefined ? {} : { readTo: others.readTo };
}

/** Of what was undone, what the two looks do not tell; null: nothing. */
function untold(before: JournalMail | null, now: ObservedMail, undone: Undone | undefined): Undone | null {
  if (undone === undefined || (before !== null && before.guid !== now.guid)) return null;
  const flags = undone.flags & ~now.flags & ~(before?.flags ?? 0);
  const keywords = withoutKeywords(withoutKeywords(undone.keywords, now.keywords), before?.keywords ?? []);
  return flags === 0 && keywords.length === 0 ? null : { ...undone, flags, keywords };
}

function withUndone(mail: JournalMail, action: Undone | null, modseq: Modseq): JournalMail {
  if (action === null) return mail;
  return {
    ...mail,
    modseq,
    addedFlags: mail.addedFlags & ~action.flags,
    removedFlags: mail.removedFlags | action.flags,
    addedKeywords: withoutKeywords(mail.addedKeywords, action.keywords),
    removedKeywords: normalKeywords([...mail.removedKeywords, ...action.keywords]),
  };
}

/** Whether a user would call it a change; a new file name or the case of a keyword is none. */
function isChange(before: JournalMail, now: ObservedMail): boolean {
  return before.guid !== now.guid || before.flags !== now.flags || !sameKeywords(before.keywords, now.keywords);
}

function sameRow(before: JournalMail, now: ObservedMail): boolean {
  return (
    before.name === now.name &&
    before.guid === now.guid &&
    before.flags === now.flags &&
    before.keywords.length === now.keywords.length &&
    now.keywords.every((keyword) => before.keywords.includes(keyword))
  );
}

function sameHead(a: JournalHead, b: JournalHead): boolean {
  return (
    a.uidNext === b.uidNext &&
    a.firstRecentUid === b.firstRecentUid &&
    a.fingerprint === b.fingerprint &&
    a.readTo === b.readTo &&
    a.path.length === b.path.length &&
    a.path.every((part, i) => part === b.path[i])
  );
}
