/** Collects one side's operations and puts them in the order in which they are carried out. */
import type { MailGuid, Modseq, Uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import type { MailOperation, MailPlan, MailRule, MailSide } from './mail-plan.ts';
import type { Flags } from './merge-flags.ts';

/** Modseqs are unsigned 63-bit numbers (RFC 7162 §3.1.1). */
const MAX_MODSEQ = (1n << 63n) - 1n;

type Place = Extract<MailOperation, { op: 'save' | 'copy' | 'renumber' | 'keep' }>;

/** Operations can be added in any order; `operations` has expunges first, then flags, then the rest by final UID. */
export class PlanBuilder {
  readonly #expunges: MailOperation[] = [];
  readonly #flags: MailOperation[] = [];
  readonly #places: Place[] = [];

  get isEmpty(): boolean {
    return this.#expunges.length + this.#flags.length + this.#places.length === 0;
  }

  expunge(uid: Uid, guid: MailGuid | null, rule: MailRule): void {
    this.#expunges.push({ op: 'expunge', uid, guid, rule });
  }

  flag(uid: Uid, { flags, keywords }: Flags, modseq: Modseq, rule: MailRule): void {
    this.#flags.push({ op: 'flag', uid, flags, keywords, modseq, rule });
  }

  renumber(mail: MailRecord, to: Uid, rule: MailRule): void {
    this.#places.push({ op: 'renumber', from: mail.uid, to, guid: mail.guid, rule });
  }

  save(mail: MailRecord, uid: Uid, { flags, keywords }: Flags, rule: MailRule): void {
    this.#places.push({
      op: 'save',
      uid,
      guid: mail.guid,
      flags,
      keywords,
      modseq: mail.modseq,
      remoteUid: mail.uid,
      rule,
    });
  }

  take(op: 'copy' | 'keep', from: Uid, mail: MailRecord, uid: Uid, { flags, keywords }: Flags, rule: MailRule): void {
    this.#places.push({ op, from, uid, guid: mail.guid, flags, keywords, modseq: mail.modseq, rule });
  }

  /** Expunges, then flags (both by the UID that the mails have now), then whatever gets a UID, in order of final UIDs. */
  operations(): readonly MailOperation[] {
    const now = (a: MailOperation, b: MailOperation): number => currentUid(a) - currentUid(b);
    this.#expunges.sort(now);
    this.#flags.sort(now);
    this.#places.sort((a, b) => finalUid(a) - finalUid(b));
    return [...this.#expunges, ...this.#flags, ...this.#places];
  }
}

function currentUid(operation: MailOperation): number {
  return operation.op === 'renumber' ? operation.from : operation.uid;
}

function finalUid(place: Place): number {
  return place.op === 'renumber' ? place.to : place.uid;
}

/** The plan of a side that stays as it is. */
export function unchangedPlan({ uidValidity, uidNext, highestModseq, firstRecentUid }: MailSide): MailPlan {
  return { rebuild: false, operations: [], uidValidity, uidNext, highestModseq, firstRecentUid };
}

/** Bigints have no `Math.max`. */
export function largerModseq(a: Modseq, b: Modseq): Modseq {
  return a > b ? a : b;
}

/** A modseq that tells a side with this HIGHESTMODSEQ of a change. */
export function modseqAfter(highest: Modseq): Modseq {
  return highest < MAX_MODSEQ ? highest + 1n : MAX_MODSEQ;
}

/** UIDNEXT, and in any case above every UID that the side speaks of. */
export function uidNextOf({ uidNext, mails, expunges }: MailSide): number {
  return Math.max(uidNext, (mails.at(-1)?.uid ?? 0) + 1, (expunges.at(-1)?.uid ?? 0) + 1);
}
