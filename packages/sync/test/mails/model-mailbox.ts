/**
 * A mailbox in memory: users change it, plans are carried out on it. It is strict: a plan that names a mail that is not
 * there, or wants a UID that is not free, fails the test.
 */
import { ALL_FLAGS, FLAG, mailGuid, uid as checkedUid, type MailGuid, type Uid } from '@dsync/protocol';
import type { ExpungeRecord, MailFacts, MailRecord } from '@dsync/storage';
import { expect } from '@jest/globals';

import type { MailOperation, MailPlan, MailSide } from '../../src/mails/mail-plan.ts';

/** A mail with what the history tells of it. */
export interface ModelMail {
  readonly guid: MailGuid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: bigint;
  readonly addedFlags: number;
  readonly removedFlags: number;
  readonly addedKeywords: readonly string[];
  readonly removedKeywords: readonly string[];
  readonly facts: MailFacts;
}

/** What of a mail counts when mailboxes are compared. */
export interface SeenMail {
  readonly uid: number;
  readonly guid: string;
  readonly flags: number;
  readonly keywords: readonly string[];
}

const NO_FACTS: MailFacts = { received: 1_700_000_000, virtualSize: 300 };
const NO_ACTIONS = { addedFlags: 0, removedFlags: 0, addedKeywords: [], removedKeywords: [] } as const;

/** `\Seen` and the like to bits, everything else to keywords. */
export function splitFlags(names: readonly string[]): { readonly flags: number; readonly keywords: readonly string[] } {
  const bits: ReadonlyMap<string, number> = new Map(Object.entries(FLAG).map(([name, bit]) => [`\\${name}`, bit]));
  let flags = 0;
  for (const name of names) flags |= bits.get(name.toLowerCase()) ?? 0;
  return { flags, keywords: names.filter((name) => !name.startsWith('\\')) };
}

/** A mailbox in memory that carries out plans, and fails for any that could not be carried out. */
export class ModelMailbox {
  uidValidity = 1000;
  uidNext = 1;
  highestModseq = 1n;
  firstRecentUid = 1;
  mails = new Map<Uid, ModelMail>();
  expunges = new Map<number, ExpungeRecord>();

  copy(): ModelMailbox {
    const other = new ModelMailbox();
    Object.assign(other, this, { mails: new Map(this.mails), expunges: new Map(this.expunges) });
    return other;
  }

  /** A mail that is there from the beginning, without history. */
  put(uid: number, guid: string, flags = 0, keywords: readonly string[] = [], facts: MailFacts = NO_FACTS): void {
    this.mails.set(checkedUid(uid), {
      guid: mailGuid(guid),
      flags,
      keywords: sorted(keywords),
      modseq: this.highestModseq,
      facts,
      ...NO_ACTIONS,
    });
    this.uidNext = Math.max(this.uidNext, uid + 1);
  }

  append(guid: string, flags = 0, keywords: readonly string[] = [], facts: MailFacts = NO_FACTS): void {
    this.highestModseq += 1n;
    this.put(this.uidNext, guid, flags, keywords, facts);
  }

  expunge(uid: number, record: 'text' | '128' | 'null' | 'none' = 'text', guid128?: (guid: string) => string): void {
    const mail = this.mails.get(checkedUid(uid));
    if (mail === undefined) return;
    this.highestModseq += 1n;
    this.mails.delete(checkedUid(uid));
    if (record === 'none') return;
    const guid = record === 'null' ? null : record === '128' && guid128 !== undefined ? guid128(mail.guid) : mail.guid;
    this.expunges.set(uid, { uid: checkedUid(uid), guid, modseq: this.highestModseq });
  }

  setFlags(uid: number, flags: number, keywords: readonly string[]): void {
    const mail = this.mails.get(checkedUid(uid));
    if (mail === undefined) return;
    this.highestModseq += 1n;
    const added = flags & ~mail.flags;
    const removed = mail.flags & ~flags;
    const newKeywords = keywords.filter((k) => !has(mail.keywords, k));
    const oldKeywords = mail.keywords.filter((k) => !has(keywords, k));
    this.mails.set(checkedUid(uid), {
      ...mail,
      flags,
      keywords: sorted(keywords),
      modseq: this.highestModseq,
      addedFlags: (mail.addedFlags | added) & ~removed,
      removedFlags: (mail.removedFlags | removed) & ~added,
      addedKeywords: sorted([...mail.addedKeywords.filter((k) => !has(oldKeywords, k)), ...newKeywords]),
      removedKeywords: sorted([...mail.removedKeywords.filter((k) => !has(newKeywords, k)), ...oldKeywords]),
    });
  }

  loseHistory(): void {
    this.expunges.clear();
    for (const [uid, mail] of this.mails) this.mails.set(uid, { ...mail, ...NO_ACTIONS, modseq: this.highestModseq });
  }

  /** Until the first sync nobody asks for modseqs: every mail then counts with the mailbox's HIGHESTMODSEQ. */
  beginTracking(): void {
    for (const [uid, mail] of this.mails) this.mails.set(uid, { ...mail, modseq: this.highestModseq });
  }

  /** What a Maildir does that lost its UID list. */
  renumberAll(uidValidity: number): void {
    const mails = [...this.mails.values()];
    this.uidValidity = uidValidity;
    this.mails.clear();
    this.expunges.clear();
    this.uidNext = 1;
    this.highestModseq += 1n;
    for (const mail of mails) this.put(this.uidNext, mail.guid, mail.flags, mail.keywords, mail.facts);
  }

  side(since?: { readonly uid: number; readonly modseq: bigint }): MailSide {
    const all = this.records();
    const isListed = (item: { readonly uid: number; readonly modseq: bigint }): boolean =>
      since === undefined || item.uid > since.uid || item.modseq > since.modseq;
    return {
      uidValidity: this.uidValidity,
      uidNext: this.uidNext,
      messages: this.mails.size,
      highestModseq: this.highestModseq,
      firstRecentUid: this.firstRecentUid,
      mails: all.filter(isListed),
      expunges: [...this.expunges.values()].filter(isListed).toSorted((a, b) => a.uid - b.uid),
      facts: new Map([...this.mails].map(([uid, mail]) => [uid, mail.facts])),
      ...(since === undefined ? {} : { lookup: (uid: Uid) => all.find((mail) => mail.uid === uid) }),
    };
  }

  records(): readonly MailRecord[] {
    return [...this.mails].toSorted(([a], [b]) => a - b).map(([uid, mail]) => ({ uid, ...mail }));
  }

  /** Keywords in lower case: how one is spelled makes no difference. */
  seen(): readonly SeenMail[] {
    return this.records().map(({ uid, guid, flags, keywords }) => ({
      uid,
      guid,
      flags,
      keywords: keywords.map((keyword) => keyword.toLowerCase()),
    }));
  }

  guids(): readonly string[] {
    return this.records()
      .map(({ guid }) => guid)
      .toSorted();
  }

  /** Carries out a plan; `from` is the other side as it was. */
  apply(plan: MailPlan, from: ModelMailbox): void {
    const before = new Map(this.mails);
    const uidNextBefore = plan.rebuild ? 1 : this.uidNext;
    if (plan.rebuild) {
      expectOnly(plan.operations, 'keep', 'save');
      this.mails.clear();
      this.expunges.clear();
      this.uidNext = 1;
    } else {
      // Renumbering and expunging come after all that refers to the mails as they were.
      for (const operation of plan.operations) if (operation.op === 'flag') this.#flag(operation);
    }
    for (const operation of plan.operations) this.#do(operation, before, from, uidNextBefore);
    this.uidValidity = plan.uidValidity;
    expectFrom(plan.uidNext, this.uidNext);
    this.uidNext = plan.uidNext;
    if (plan.highestModseq > this.highestModseq) this.highestModseq = plan.highestModseq;
    this.firstRecentUid = plan.firstRecentUid;
  }

  #do(operation: MailOperation, before: ReadonlyMap<Uid, ModelMail>, from: ModelMailbox, uidNextBefore: number): void {
    switch (operation.op) {
      case 'flag':
        return;
      case 'expunge':
        expectNames(operation, before.get(operation.uid));
        return this.#forget(operation.uid);
      case 'renumber': {
        const mail = this.mails.get(operation.from);
        if (mail === undefined) throw new Error(`renumbers UID ${operation.from}, which is not there`);
        expectNames(operation, mail);
        this.#forget(operation.from);
        return this.#place(operation.to, mail, uidNextBefore);
      }
      case 'save':
      case 'copy':
      case 'keep': {
        const source = operation.op === 'save' ? from.mails.get(operation.remoteUid) : before.get(operation.from);
        if (source === undefined) throw new Error(`${operation.op} of a mail that is not there`);
        expectNames(operation, source);
        const { flags, keywords, modseq } = operation;
        return this.#place(operation.uid, { ...source, ...NO_ACTIONS, flags, keywords, modseq }, uidNextBefore);
      }
      default:
        operation satisfies never;
    }
  }

  #flag(operation: Extract<MailOperation, { op: 'flag' }>): void {
    const mail = this.mails.get(operation.uid);
    if (mail === undefined) throw new Error(`flags UID ${operation.uid}, which is not there`);
    const { flags, keywords, modseq } = operation;
    expectFlags(flags);
    this.mails.set(operation.uid, { ...mail, flags, keywords, modseq });
    if (modseq > this.highestModseq) this.highestModseq = modseq;
  }

  #forget(uid: Uid): void {
    const mail = this.mails.get(uid);
    if (mail === undefined) throw new Error(`UID ${uid} is not there`);
    this.mails.delete(uid);
    this.expunges.set(uid, { uid, guid: mail.guid, modseq: this.highestModseq });
  }

  #place(uid: Uid, mail: ModelMail, uidNextBefore: number): void {
    expectFrom(uid, uidNextBefore);
    expectFree(this.mails, uid);
    this.mails.set(uid, mail);
    this.uidNext = Math.max(this.uidNext, uid + 1);
  }
}

function has(keywords: readonly string[], keyword: string): boolean {
  return keywords.some((k) => k.toLowerCase() === keyword.toLowerCase());
}

function sorted(keywords: readonly string[]): readonly string[] {
  return keywords.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
}

/** The operation is about this mail. */
function expectNames(operation: { readonly guid: string | null }, mail: ModelMail | undefined): void {
  expect(mail?.guid).toBe(operation.guid);
}

function expectOnly(operations: readonly MailOperation[], ...allowed: readonly MailOperation['op'][]): void {
  expect(operations.map(({ op }) => op).filter((op) => !allowed.includes(op))).toEqual([]);
}

function expectFrom(uid: number, least: number): void {
  expect(uid).toBeGreaterThanOrEqual(least);
}

function expectFree(mails: ReadonlyMap<Uid, ModelMail>, uid: Uid): void {
  expect(mails.has(uid)).toBe(false);
}

function expectFlags(mask: number): void {
  expect(mask & ~ALL_FLAGS).toBe(0);
}
