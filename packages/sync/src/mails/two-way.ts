/**
 * Both sides' plans of a two-way merge. One-way is the same with the source's plan thrown away.
 * Every decision is made once for both sides and by values alone, so exchanging the sides exchanges the plans.
 */
import { MAX_UID, type Modseq, type Uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import { compareMails, type CommonMail, type Comparison, type GoneMail } from './common-part.ts';
import { mailTest, type MailTest } from './filter.ts';
import type { MailMerge, MailMergeContext, MailRule, MailSide } from './mail-plan.ts';
import { mergeFlags, sameFlags, spellings, type Flags, type Unexplained } from './merge-flags.ts';
import { linkMails, linkMoved, placeMails, type Entry, type Placed } from './new-mails.ts';
import { largerModseq, modseqAfter, PlanBuilder, uidNextOf, unchangedPlan } from './plan-builder.ts';
import { PRIVATE_FLAGS } from './private-flags.ts';
import { compareChanges, staleReason, type LoneChange, type StateComparison } from './state-changes.ts';

/** @throws {SyncError} `UidsExhausted`; `Usage` for a filter's unknown flag */
export function planTwoWay(local: MailSide, remote: MailSide, context: MailMergeContext): MailMerge {
  const { common, evidence } = context;
  if (common === null) return new TwoWay(local, remote, context).plan(compareMails(local, remote, evidence));
  const stale = staleReason(local, remote, common);
  if (stale !== null) return { kind: 'stale-state', reason: stale };
  const changes = compareChanges(local, remote, common, evidence);
  if (typeof changes === 'string') return { kind: 'stale-state', reason: changes };
  return new TwoWay(local, remote, context).planChanges(changes);
}

class TwoWay {
  readonly #local: MailSide;
  readonly #remote: MailSide;
  readonly #context: MailMergeContext;
  readonly #here = new PlanBuilder();
  readonly #there = new PlanBuilder();
  readonly #spell: (keyword: string) => string;
  #uidNext: number;
  #highest: Modseq;
  /** Mails were left alone, so that the sides differ afterwards. */
  #leftAlone = false;

  constructor(local: MailSide, remote: MailSide, context: MailMergeContext) {
    this.#local = local;
    this.#remote = remote;
    this.#context = context;
    this.#uidNext = Math.max(uidNextOf(local), uidNextOf(remote));
    this.#highest = largerModseq(local.highestModseq, remote.highestModseq);
    const localFirst = context.mode === 'one-way' ? context.source === 'local' : context.localStarts;
    this.#spell = localFirst ? spellings(local.mails, remote.mails) : spellings(remote.mails, local.mails);
  }

  planChanges(changes: StateComparison): MailMerge {
    for (const change of changes.loneLocal) this.#follow(change, this.#remote, this.#there);
    for (const change of changes.loneRemote) this.#follow(change, this.#local, this.#here);
    return this.plan(changes);
  }

  plan({ common, local, remote }: Comparison): MailMerge {
    for (const pair of common) this.#mergePair(pair, 'preferred');
    const entries = linkMails(local.fresh, remote.fresh, this.#context.evidence === 'record');
    const inLocal = mailTest(this.#context.filter, this.#local);
    const inRemote = mailTest(this.#context.filter, this.#remote);
    this.#expungeGone(linkMoved(local.gone, entries, 'local'), this.#here, inLocal);
    this.#expungeGone(linkMoved(remote.gone, entries, 'remote'), this.#there, inRemote);
    const wanted = entries.filter((entry) => this.#isWanted(entry, inLocal, inRemote));
    this.#place(placeMails(wanted, uidNextOf(this.#local), uidNextOf(this.#remote)));
    return this.#result();
  }

  /** The filter decides only about mails that one side has; what both have is theirs already. */
  #isWanted({ local, remote }: Entry, inLocal: MailTest, inRemote: MailTest): boolean {
    if (local !== null && remote !== null) return true;
    if (local !== null && inLocal(local)) return true;
    if (remote !== null && inRemote(remote)) return true;
    this.#leftAlone = true;
    return false;
  }

  #expungeGone(gone: readonly GoneMail[], plan: PlanBuilder, isInside: MailTest): void {
    for (const { mail, rule } of gone) {
      if (isInside(mail)) plan.expunge(mail.uid, mail.guid, rule);
      else this.#leftAlone = true;
    }
  }

  #place(placed: readonly Placed[]): void {
    const copies = this.#context.copies !== false;
    const forLocal = copies ? copySources(this.#local, placed, 'local') : NO_SOURCES;
    const forRemote = copies ? copySources(this.#remote, placed, 'remote') : NO_SOURCES;
    for (const { local, remote, uid } of placed) {
      this.#uidNext = Math.max(this.#uidNext, uid + 1);
      if (local !== null && remote !== null) {
        this.#mergePair({ local, remote }, local.uid === remote.uid ? 'preferred' : 'union');
        if (local.uid !== uid) this.#here.renumber(local, uid, 'same-mail-other-uid');
        if (remote.uid !== uid) this.#there.renumber(remote, uid, 'same-mail-other-uid');
      } else if (local !== null) {
        this.#give(local, uid, this.#here, this.#there, this.#remote, forRemote);
      } else if (remote !== null) {
        this.#give(remote, uid, this.#there, this.#here, this.#local, forLocal);
      }
    }
  }

  /** Gives `mail`, which only its owner has, to the other side. */
  #give(
    mail: MailRecord,
    uid: Uid,
    owner: PlanBuilder,
    taker: PlanBuilder,
    other: MailSide,
    sources: ReadonlyMap<string, Uid>,
  ): void {
    const flags = {
      flags: mail.flags,
      keywords: mail.keywords.length === 0 ? mail.keywords : mail.keywords.map(this.#spell),
    };
    const rule = mail.uid === uid ? 'new-mail' : whyNewUid(mail.uid, other);
    const source = sources.get(mail.guid);
    if (source === undefined) taker.save(mail, uid, flags, rule);
    else taker.take('copy', source, mail, uid, flags, rule);
    if (!sameFlags(mail, flags)) owner.flag(mail.uid, flags, mail.modseq, 'flags-merged');
    if (mail.uid !== uid) owner.renumber(mail, uid, rule);
  }

  #mergePair(pair: CommonMail, unexplained: Unexplained): void {
    const { local, remote } = pair;
    if (local.flags === remote.flags && sameFlags(local, remote)) return;
    const preferLocal = local.modseq === remote.modseq ? this.#context.localStarts : local.modseq > remote.modseq;
    const merged = this.#withPrivateFlags(pair, unexplained, this.#merge(pair, unexplained, preferLocal), preferLocal);
    const localDiffers = !sameFlags(local, merged);
    const remoteDiffers = !sameFlags(remote, merged);
    let modseq = largerModseq(local.modseq, remote.modseq);
    if (localDiffers) modseq = largerModseq(modseq, modseqAfter(this.#local.highestModseq));
    if (remoteDiffers) modseq = largerModseq(modseq, modseqAfter(this.#remote.highestModseq));
    this.#highest = largerModseq(this.#highest, modseq);
    if (localDiffers) this.#here.flag(local.uid, merged, modseq, 'flags-merged');
    if (remoteDiffers) this.#there.flag(remote.uid, merged, modseq, 'flags-merged');
  }

  #merge({ local, remote }: CommonMail, unexplained: Unexplained, preferLocal: boolean): Flags {
    return preferLocal
      ? mergeFlags(local, remote, unexplained, this.#spell)
      : mergeFlags(remote, local, unexplained, this.#spell);
  }

  /** Private flags go by modseqs of their own. */
  #withPrivateFlags(pair: CommonMail, unexplained: Unexplained, merged: Flags, preferLocal: boolean): Flags {
    const { local, remote } = pair;
    if (this.#local.private === undefined || this.#remote.private === undefined) return merged;
    const ours = this.#local.private.mails.get(local.uid) ?? 0n;
    const theirs = this.#remote.private.mails.get(remote.uid) ?? 0n;
    const preferOurs = ours === theirs ? this.#context.localStarts : ours > theirs;
    if (preferOurs === preferLocal) return merged;
    const { flags } = this.#merge(pair, unexplained, preferOurs);
    return { ...merged, flags: (merged.flags & ~PRIVATE_FLAGS) | (flags & PRIVATE_FLAGS) };
  }

  /** Makes a change that only the other side made since the common state. */
  #follow(change: LoneChange, side: MailSide, plan: PlanBuilder): void {
    if (change.kind === 'expunge') {
      const { uid } = change.record;
      plan.expunge(uid, side.lookup?.(uid)?.guid ?? null, 'expunged-there');
      return;
    }
    const { mail } = change;
    const now = side.lookup?.(mail.uid);
    if (now !== undefined && sameFlags(now, mail)) return;
    const flags: Flags = { flags: mail.flags, keywords: mail.keywords };
    const modseq = largerModseq(mail.modseq, modseqAfter(side.highestModseq));
    this.#highest = largerModseq(this.#highest, modseq);
    plan.flag(mail.uid, flags, modseq, 'flags-merged');
  }

  #result(): MailMerge {
    const { mode, source } = this.#context;
    const numbers = {
      rebuild: false,
      uidValidity: this.#uidValidity(),
      uidNext: Math.min(this.#uidNext, MAX_UID + 1),
      highestModseq: this.#highest,
      firstRecentUid: Math.min(Math.max(this.#local.firstRecentUid, this.#remote.firstRecentUid), this.#uidNext),
    };
    const local = { ...numbers, operations: this.#here.operations() };
    const remote = { ...numbers, operations: this.#there.operations() };
    if (mode !== 'one-way') return { kind: 'plan', local, remote, equalAfter: !this.#leftAlone };
    const sourceWouldChange = source === 'local' ? !this.#here.isEmpty : !this.#there.isEmpty;
    return {
      kind: 'plan',
      local: source === 'local' ? unchangedPlan(this.#local) : local,
      remote: source === 'remote' ? unchangedPlan(this.#remote) : remote,
      equalAfter: !this.#leftAlone && !sourceWouldChange,
    };
  }

  /** More messages win, then the larger value, as in Dovecot; but a source never changes its own. */
  #uidValidity(): number {
    const [l, r] = [this.#local, this.#remote];
    if (this.#context.mode === 'one-way') return this.#context.source === 'local' ? l.uidValidity : r.uidValidity;
    if (l.messages !== r.messages) return l.messages > r.messages ? l.uidValidity : r.uidValidity;
    return Math.max(l.uidValidity, r.uidValidity);
  }
}

const NO_SOURCES: ReadonlyMap<string, Uid> = new Map();

/** For mails that a side is to get: one that it has already under the same GUID, whose bytes need not travel. */
function copySources(
  { mails, absent }: MailSide,
  placed: readonly Placed[],
  side: 'local' | 'remote',
): ReadonlyMap<string, Uid> {
  if (mails.length === 0) return NO_SOURCES;
  const wanted = new Set<string>();
  for (const entry of placed) {
    const { guid } = entry.local ?? entry.remote ?? {};
    if (entry[side] === null && guid !== undefined) wanted.add(guid);
  }
  const found = new Map<string, Uid>();
  if (wanted.size === 0) return found;
  for (const mail of mails) {
    if (wanted.has(mail.guid) && !found.has(mail.guid) && absent?.has(mail.uid) !== true)
      found.set(mail.guid, mail.uid);
  }
  return found;
}

/** Why a mail could not keep its UID: the other side has or had another mail there, or has passed it. */
function whyNewUid(uid: Uid, other: MailSide): MailRule {
  return hasUid(other.mails, uid) || hasUid(other.expunges, uid) ? 'uid-conflict' : 'missing-without-record';
}

function hasUid(items: readonly { readonly uid: number }[], uid: number): boolean {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle]?.uid ?? Infinity) < uid) low = middle + 1;
    else high = middle;
  }
  return items[low]?.uid === uid;
}
