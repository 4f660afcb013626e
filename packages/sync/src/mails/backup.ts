/**
 * Backup: the destination becomes what the source is. Dovecot deletes a mailbox that cannot be
 * brought there in place and fails; here it is made anew in the same run, keeping what the destination has of it.
 */
import { type Uid, uid as checkedUid, MAX_UID } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import { isFiltering, mailTest } from './filter.ts';
import type { MailMergeContext, MailPlan, MailSide } from './mail-plan.ts';
import { sameFlags } from './merge-flags.ts';
import { largerModseq, modseqAfter, PlanBuilder, uidNextOf } from './plan-builder.ts';

/** What is known of the destination's mails against the source's. */
interface Differences {
  /** The same mail under the same UID on both sides. */
  readonly equal: ReadonlyMap<Uid, { readonly from: MailRecord; readonly to: MailRecord }>;
  /** Mails that the destination has to get; outside the filter only those that it has under another UID. */
  readonly missing: readonly MailRecord[];
  /** Mails that the source does not have (so), inside the filter. */
  readonly surplus: readonly MailRecord[];
  /** The same outside the filter: they are left alone. */
  readonly leftAlone: readonly MailRecord[];
  /** The source has mails outside the filter that the destination does not have. */
  readonly withheld: boolean;
}

/** The destination's plan; the sides are not equal after it where a filter leaves mails alone. */
export interface BackupPlan {
  readonly plan: MailPlan;
  readonly equalAfter: boolean;
}

/** The destination's plan. The source's is always empty. */
export function planBackup(source: MailSide, destination: MailSide, context: MailMergeContext): BackupPlan {
  const differences = compare(source, destination, context);
  const equalAfter = differences.leftAlone.length === 0 && !differences.withheld;
  const plan = needsRebuild(source, destination, context, differences)
    ? rebuild(source, destination, differences)
    : inPlace(source, destination, differences);
  return { plan, equalAfter };
}

function compare(source: MailSide, destination: MailSide, context: MailMergeContext): Differences {
  const inSource = mailTest(context.filter, source);
  const inDestination = mailTest(context.filter, destination);
  const theirs = new Map(destination.mails.map((mail) => [mail.uid, mail]));
  const equal = new Map<Uid, { readonly from: MailRecord; readonly to: MailRecord }>();
  const lacking: MailRecord[] = [];
  for (const mail of source.mails) {
    const twin = theirs.get(mail.uid);
    if (twin?.guid === mail.guid) equal.set(mail.uid, { from: mail, to: twin });
    else lacking.push(mail);
  }
  const unmatched = destination.mails.filter((mail) => !equal.has(mail.uid));
  const available = new Map<string, number>();
  for (const { guid } of unmatched) available.set(guid, (available.get(guid) ?? 0) + 1);
  // A mail that the destination has under another UID is there already, whatever the filter says.
  const missing = lacking.filter((mail) => {
    const count = available.get(mail.guid) ?? 0;
    if (count > 0) available.set(mail.guid, count - 1);
    return count > 0 || inSource(mail);
  });
  const wanted = new Set(missing.map(({ guid }) => guid));
  const leftAlone = unmatched.filter((mail) => !inDestination(mail) && !wanted.has(mail.guid));
  const alone = new Set(leftAlone);
  const surplus = unmatched.filter((mail) => !alone.has(mail));
  return { equal, missing, surplus, leftAlone, withheld: missing.length < lacking.length };
}

function needsRebuild(
  source: MailSide,
  destination: MailSide,
  context: MailMergeContext,
  { missing }: Differences,
): boolean {
  if (source.uidValidity !== destination.uidValidity) return true;
  const uidNext = uidNextOf(destination);
  if (missing.some((mail) => mail.uid < uidNext)) return true;
  // With a filter the destination may have mails of its own beyond the source's UIDNEXT.
  return uidNext > uidNextOf(source) && !isFiltering(context.filter);
}

function inPlace(source: MailSide, destination: MailSide, { equal, missing, surplus }: Differences): MailPlan {
  const plan = new PlanBuilder();
  let highest = largerModseq(source.highestModseq, destination.highestModseq);
  const setFlags = (from: MailRecord, to: MailRecord): void => {
    if (sameFlags(from, to)) return;
    const modseq = largerModseq(from.modseq, modseqAfter(destination.highestModseq));
    highest = largerModseq(highest, modseq);
    plan.flag(to.uid, from, modseq, 'flags-of-source');
  };
  for (const { from, to } of equal.values()) setFlags(from, to);
  const stock = new Stock(surplus);
  for (const mail of missing) {
    const own = stock.take(mail);
    if (own === null) {
      plan.save(mail, mail.uid, mail, 'new-mail');
      continue;
    }
    setFlags(mail, own);
    plan.renumber(own, mail.uid, 'same-mail-other-uid');
  }
  for (const mail of stock.rest()) plan.expunge(mail.uid, mail.guid, 'not-in-source');
  return {
    rebuild: false,
    operations: plan.operations(),
    uidValidity: source.uidValidity,
    uidNext: Math.max(uidNextOf(source), uidNextOf(destination)),
    highestModseq: highest,
    firstRecentUid: Math.max(destination.firstRecentUid, Math.min(source.firstRecentUid, uidNextOf(source))),
  };
}

function rebuild(
  source: MailSide,
  destination: MailSide,
  { equal, missing, surplus, leftAlone }: Differences,
): MailPlan {
  const plan = new PlanBuilder();
  for (const { from, to } of equal.values()) plan.take('keep', to.uid, from, from.uid, from, 'rebuild');
  const stock = new Stock(surplus);
  for (const mail of missing) {
    const own = stock.take(mail);
    if (own === null) plan.save(mail, mail.uid, mail, 'rebuild');
    else plan.take('keep', own.uid, mail, mail.uid, mail, 'rebuild');
  }
  let uidNext = uidNextOf(source);
  const taken = new Set<number>(missing.map(({ uid }) => uid));
  const moved: MailRecord[] = [];
  for (const mail of leftAlone) {
    if (taken.has(mail.uid)) moved.push(mail);
    else {
      plan.take('keep', mail.uid, mail, mail.uid, mail, 'rebuild');
      uidNext = Math.max(uidNext, mail.uid + 1);
    }
  }
  for (const mail of moved) plan.take('keep', mail.uid, mail, nextUid(uidNext++), mail, 'rebuild');
  return {
    rebuild: true,
    operations: plan.operations(),
    uidValidity: source.uidValidity,
    uidNext,
    highestModseq: largerModseq(source.highestModseq, destination.highestModseq),
    firstRecentUid: Math.min(source.firstRecentUid, uidNext),
  };
}

function nextUid(value: number): Uid {
  if (value > MAX_UID) throw new SyncError('UidsExhausted', 'no free UID is left in the mailbox');
  return checkedUid(value);
}

/** Mails of the destination that can be taken for mails of the source, by GUID, each once and in UID order. */
class Stock {
  readonly #byGuid = new Map<string, MailRecord[]>();

  constructor(mails: readonly MailRecord[]) {
    for (const mail of mails.toReversed()) {
      const same = this.#byGuid.get(mail.guid);
      if (same === undefined) this.#byGuid.set(mail.guid, [mail]);
      else same.push(mail);
    }
  }

  take({ guid }: MailRecord): MailRecord | null {
    return this.#byGuid.get(guid)?.pop() ?? null;
  }

  *rest(): Generator<MailRecord> {
    for (const mails of this.#byGuid.values()) yield* mails;
  }
}
