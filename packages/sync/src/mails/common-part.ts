/**
 * Which mails both sides have in common, and what is to be thought of the others. Both lists
 * are walked in step, once to find the end of the common part and once to judge every mail that only one side has.
 *
 *     UID      1  2  3  4  5  6  7
 *     local    a  b  c     e  x         4: local has a record of d, or knows nothing of it
 *     remote   a  b  c  d  e  y  z      6: another mail, so the common part ends at 5
 */
import type { ExpungeRecord, MailRecord } from '@dsync/storage';

import { recordFits, sameRecordedMail } from './guid-fits.ts';
import type { MailMergeContext, MailRule, MailSide } from './mail-plan.ts';

/** A mail that both sides have under one UID. */
export interface CommonMail {
  readonly local: MailRecord;
  readonly remote: MailRecord;
}

/** A mail that the other side has expunged. */
export interface GoneMail {
  readonly mail: MailRecord;
  readonly rule: MailRule;
}

/** What one side has and the other has not under that UID; ascending UIDs. */
export interface OneSided {
  /** To be given to the other side, or a mail that has its twin there under another UID. */
  readonly fresh: readonly MailRecord[];
  readonly gone: readonly GoneMail[];
}

/** Mails that both sides have under one UID, and the others, judged. */
export interface Comparison {
  readonly common: readonly CommonMail[];
  readonly local: OneSided;
  readonly remote: OneSided;
}

/** Compares complete lists. */
export function compareMails(local: MailSide, remote: MailSide, evidence: MailMergeContext['evidence']): Comparison {
  const believed = recordsBelieved(local, remote, evidence);
  const end = commonEnd(local, remote, evidence, believed);
  const common: CommonMail[] = [];
  let j = 0;
  for (const mail of local.mails) {
    if (mail.uid > end) break;
    while ((remote.mails[j]?.uid ?? Infinity) < mail.uid) j++;
    const twin = remote.mails[j];
    if (twin !== undefined && twin.uid === mail.uid) common.push({ local: mail, remote: twin });
  }
  return {
    common,
    local: judge(local.mails, remote.mails, believed ? remote.expunges : [], end, evidence),
    remote: judge(remote.mails, local.mails, believed ? local.expunges : [], end, evidence),
  };
}

/**
 * The end of the common part as a Dovecot finds it.
 * @param tellsMore whether the local side has mails behind all others besides
 */
export function endByPosition(local: MailSide, remote: MailSide, tellsMore: boolean): number {
  return commonEnd(local, remote, 'position', true, tellsMore);
}

/** Records of a mailbox with another UIDVALIDITY speak of other mails. Dovecot believes them all the same. */
function recordsBelieved(local: MailSide, remote: MailSide, evidence: MailMergeContext['evidence']): boolean {
  return evidence === 'position' || local.uidValidity === remote.uidValidity;
}

/** The highest UID up to which the UIDs of both sides certainly mean the same mails; 0 if there is none. */
function commonEnd(
  local: MailSide,
  remote: MailSide,
  evidence: MailMergeContext['evidence'],
  believed: boolean,
  tellsMore = false,
): number {
  const lastLocal = tellsMore ? Infinity : (local.mails.at(-1)?.uid ?? 0);
  const lastRemote = remote.mails.at(-1)?.uid ?? 0;
  const l = new SideCursor(local.mails, believed ? local.expunges : []);
  const r = new SideCursor(remote.mails, believed ? remote.expunges : []);
  let end = 0;
  for (;;) {
    const uid = Math.min(l.nextUid, r.nextUid);
    if (uid === Infinity) return end;
    l.goTo(uid);
    r.goTo(uid);
    const fit = fitAt(l, r);
    if (fit === 'other') return end;
    if (fit === 'fits') {
      // Dovecot lets an expunge that both remember count only while mails follow it, and then perhaps on one end only.
      const isPast = l.mail === undefined && r.mail === undefined && (uid > lastLocal || uid > lastRemote);
      if (evidence === 'position' && isPast) continue;
      end = uid;
    } else if (evidence === 'position') {
      // No mails are left on the side that lacks this one: nothing says any more that it was ever there.
      const lastThere = l.mail !== undefined ? lastRemote : r.mail !== undefined ? lastLocal : Infinity;
      if (uid > lastThere) return end;
    }
  }
}

function fitAt(l: SideCursor, r: SideCursor): 'fits' | 'unknown' | 'other' {
  if (l.mail !== undefined && r.mail !== undefined) return l.mail.guid === r.mail.guid ? 'fits' : 'other';
  if (l.mail !== undefined) return r.record === undefined ? 'unknown' : recordFits(r.record.guid, l.mail.guid);
  if (r.mail !== undefined) return l.record === undefined ? 'unknown' : recordFits(l.record.guid, r.mail.guid);
  return l.record !== undefined && r.record !== undefined && sameRecordedMail(l.record.guid, r.record.guid)
    ? 'fits'
    : 'unknown';
}

/** A place in a side's mails and records, which are both in UID order. */
class SideCursor {
  readonly #mails: readonly MailRecord[];
  readonly #records: readonly ExpungeRecord[];
  #m = 0;
  #r = 0;
  mail: MailRecord | undefined;
  /** Absent where a mail is. */
  record: ExpungeRecord | undefined;

  constructor(mails: readonly MailRecord[], records: readonly ExpungeRecord[]) {
    this.#mails = mails;
    this.#records = records;
  }

  get nextUid(): number {
    return Math.min(this.#mails[this.#m]?.uid ?? Infinity, this.#records[this.#r]?.uid ?? Infinity);
  }

  /** Takes what is at `uid`, the lower `nextUid` of both sides. */
  goTo(uid: number): void {
    const mail = this.#mails[this.#m];
    const record = this.#records[this.#r];
    this.mail = mail?.uid === uid ? mail : undefined;
    this.record = record?.uid === uid && this.mail === undefined ? record : undefined;
    if (mail?.uid === uid) this.#m++;
    if (record?.uid === uid) this.#r++;
  }
}

function judge(
  mails: readonly MailRecord[],
  others: readonly MailRecord[],
  records: readonly ExpungeRecord[],
  end: number,
  evidence: MailMergeContext['evidence'],
): OneSided {
  const fresh: MailRecord[] = [];
  const gone: GoneMail[] = [];
  let j = 0;
  let x = 0;
  for (const mail of mails) {
    while ((others[j]?.uid ?? Infinity) < mail.uid) j++;
    if (mail.uid <= end && others[j]?.uid === mail.uid) continue;
    while ((records[x]?.uid ?? Infinity) < mail.uid) x++;
    const record = others[j]?.uid === mail.uid || records[x]?.uid !== mail.uid ? undefined : records[x];
    const rule = goneBecause(mail, record, mail.uid <= end, evidence);
    if (rule === null) fresh.push(mail);
    else gone.push({ mail, rule });
  }
  return { fresh, gone };
}

/** Why a mail that the other side lacks counts as expunged there; null: it does not. */
function goneBecause(
  mail: MailRecord,
  record: ExpungeRecord | undefined,
  inCommonPart: boolean,
  evidence: MailMergeContext['evidence'],
): MailRule | null {
  if (!inCommonPart && evidence === 'position') return null;
  const fit = record === undefined ? null : recordFits(record.guid, mail.guid);
  if (fit === 'fits' || (fit === 'unknown' && inCommonPart)) return 'expunged-there';
  return evidence === 'position' ? 'expunged-by-position' : null;
}
