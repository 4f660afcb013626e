/**
 * What is to be thought of changes since a common state. Up to the common UID both sides
 * have the same mails, and only what is listed has changed; every mail above is new.
 */
import type { ExpungeRecord, MailRecord } from '@dsync/storage';

import type { CommonMail, Comparison, GoneMail, OneSided } from './common-part.ts';
import { recordFits } from './guid-fits.ts';
import type { MailMergeContext, MailSide } from './mail-plan.ts';

/** A change of a mail that the other side lists no change of. */
export type LoneChange =
  | { readonly kind: 'flags'; readonly mail: MailRecord }
  | { readonly kind: 'expunge'; readonly record: ExpungeRecord };

/** As `Comparison`, of changes alone: a mail that neither side lists has not changed. */
export interface StateComparison extends Comparison {
  /** Changes that only this side made; the other side has to make them too. */
  readonly loneLocal: readonly LoneChange[];
  readonly loneRemote: readonly LoneChange[];
}

/** The common state that lists of changes were made from. */
export type Common = NonNullable<MailMergeContext['common']>;

/** Why a common state cannot hold; null if nothing speaks against it. */
export function staleReason(local: MailSide, remote: MailSide, common: Common): string | null {
  if (local.uidValidity !== remote.uidValidity) {
    const [low, high] = inOrder(local.uidValidity, remote.uidValidity);
    return `UIDVALIDITY differs: ${low} and ${high}`;
  }
  const uidNext = Math.min(local.uidNext, remote.uidNext);
  if (uidNext <= common.uid) return `uid_next ${uidNext} <= last common UID ${common.uid}`;
  const highest = local.highestModseq < remote.highestModseq ? local.highestModseq : remote.highestModseq;
  return highest < common.modseq ? `highest_modseq ${highest} < ${common.modseq}` : null;
}

/** @returns a text if the lists contradict the common state */
export function compareChanges(
  local: MailSide,
  remote: MailSide,
  common: Common,
  evidence: MailMergeContext['evidence'],
): StateComparison | string {
  const pairs: CommonMail[] = [];
  const sides = { local: new SideChanges(), remote: new SideChanges() };
  const remoteMails = byUid(remote.mails, common.uid);
  const localMails = byUid(local.mails, common.uid);
  const remoteRecords = byUid(remote.expunges, common.uid);
  const localRecords = byUid(local.expunges, common.uid);
  for (const mail of localMails.values()) {
    const twin = remoteMails.get(mail.uid);
    if (twin !== undefined) {
      if (twin.guid !== mail.guid) return mismatch(mail.uid, mail.guid, twin.guid);
      pairs.push({ local: mail, remote: twin });
      continue;
    }
    const problem = sides.local.add(mail, remoteRecords.get(mail.uid), remote);
    if (problem !== null) return problem;
  }
  for (const mail of remoteMails.values()) {
    if (localMails.has(mail.uid)) continue;
    const problem = sides.remote.add(mail, localRecords.get(mail.uid), local);
    if (problem !== null) return problem;
  }
  for (const record of localRecords.values()) {
    if (remoteMails.has(record.uid) || remoteRecords.has(record.uid)) continue;
    const problem = sides.local.addRecord(record, remote);
    if (problem !== null) return problem;
  }
  for (const record of remoteRecords.values()) {
    if (localMails.has(record.uid) || localRecords.has(record.uid)) continue;
    const problem = sides.remote.addRecord(record, local);
    if (problem !== null) return problem;
  }
  return {
    common: pairs,
    local: sides.local.oneSided(newMails(local, remote, common.uid, evidence)),
    remote: sides.remote.oneSided(newMails(remote, local, common.uid, evidence)),
    loneLocal: sides.local.lone,
    loneRemote: sides.remote.lone,
  };
}

/** Listed changes of one side up to the common UID. */
class SideChanges {
  readonly lone: LoneChange[] = [];
  readonly #gone: GoneMail[] = [];

  add(mail: MailRecord, otherRecord: ExpungeRecord | undefined, other: MailSide): string | null {
    if (otherRecord !== undefined) {
      if (recordFits(otherRecord.guid, mail.guid) === 'other')
        return mismatch(mail.uid, mail.guid, otherRecord.guid ?? '');
      this.#gone.push({ mail, rule: 'expunged-there' });
      return null;
    }
    if (other.lookup !== undefined) {
      const twin = other.lookup(mail.uid);
      if (twin === undefined) return `UID=${mail.uid} is not there any more`;
      if (twin.guid !== mail.guid) return mismatch(mail.uid, twin.guid, mail.guid);
    }
    this.lone.push({ kind: 'flags', mail });
    return null;
  }

  addRecord(record: ExpungeRecord, other: MailSide): string | null {
    const twin = other.lookup?.(record.uid);
    // Already gone on a side that forgot the record.
    if (other.lookup !== undefined && twin === undefined) return null;
    if (twin !== undefined && recordFits(record.guid, twin.guid) === 'other')
      return mismatch(record.uid, twin.guid, record.guid ?? '');
    this.lone.push({ kind: 'expunge', record });
    return null;
  }

  oneSided(fresh: OneSided): OneSided {
    return { fresh: fresh.fresh, gone: [...this.#gone, ...fresh.gone] };
  }
}

/** Mails above the common UID. What the other side expunged there is believed only if its record names the mail. */
function newMails(side: MailSide, other: MailSide, after: number, evidence: MailMergeContext['evidence']): OneSided {
  const records =
    evidence === 'position'
      ? new Map<number, ExpungeRecord>()
      : new Map(other.expunges.map((record) => [record.uid, record]));
  const fresh: MailRecord[] = [];
  const gone: GoneMail[] = [];
  for (const mail of side.mails) {
    if (mail.uid <= after) continue;
    const record = records.get(mail.uid);
    if (record !== undefined && recordFits(record.guid, mail.guid) === 'fits')
      gone.push({ mail, rule: 'expunged-there' });
    else fresh.push(mail);
  }
  return { fresh, gone };
}

function byUid<T extends { readonly uid: number }>(items: readonly T[], upTo: number): Map<number, T> {
  const map = new Map<number, T>();
  for (const item of items) {
    if (item.uid > upTo) break;
    map.set(item.uid, item);
  }
  return map;
}

function mismatch(uid: number, a: string, b: string): string {
  const [first, second] = inOrder(a, b);
  return `Unexpected GUID mismatch for UID=${uid}: ${first} != ${second}`;
}

/** Both ends give the same text, whichever side is theirs. */
function inOrder<T>(a: T, b: T): readonly [T, T] {
  return a < b ? [a, b] : [b, a];
}
