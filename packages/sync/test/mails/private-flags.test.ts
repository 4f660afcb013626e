/** \Seen where a Dovecot keeps it for each user apart: which side's counts, and what is remembered for the next run. */
import { mailGuid, uid, type Modseq, type Uid } from '@dsync/protocol';
import type { MailRecord, PrivateFlags } from '@dsync/storage';
import { fc, test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import type { MailMergeContext, MailOperation, MailPlan, MailSide } from '../../src/mails/mail-plan.ts';
import { planMails } from '../../src/mails/plan-mails.ts';
import {
  observePrivate,
  privateAfter,
  privateModseqs,
  type PrivateModseqs,
  samePrivate,
} from '../../src/mails/private-flags.ts';

const SEEN = 8;
const FLAGGED = 2;

const mailOf = (n: number, flags: number, more: Partial<MailRecord> = {}): MailRecord => ({
  uid: uid(n),
  guid: mailGuid(`m${n}`),
  modseq: 1n,
  flags,
  keywords: [],
  addedFlags: 0,
  removedFlags: 0,
  addedKeywords: [],
  removedKeywords: [],
  ...more,
});

const sideOf = (mails: readonly MailRecord[], modseqs: PrivateModseqs): MailSide => ({
  uidValidity: 1,
  uidNext: mails.length + 1,
  messages: mails.length,
  highestModseq: 9n,
  firstRecentUid: 1,
  mails,
  expunges: [],
  private: modseqs,
});

const numbered = <T>(values: readonly T[]): Map<Uid, T> => new Map(values.map((value, i) => [uid(i + 1), value]));

const TWO_WAY: MailMergeContext = {
  mode: 'two-way',
  source: 'local',
  localStarts: true,
  common: null,
  filter: {},
  evidence: 'position',
};

const plansOf = (local: MailSide, remote: MailSide, context = TWO_WAY): { plan: MailPlan; theirPlan: MailPlan } => {
  const merge = planMails(local, remote, context);
  if (merge.kind !== 'plan') throw new Error(merge.reason);
  return { plan: merge.local, theirPlan: merge.remote };
};

describe('the merge of a mail', () => {
  const added = { addedFlags: SEEN };
  const removed = { removedFlags: SEEN };
  // Ours is seen and theirs flagged; what becomes of both.
  test.each<[string, bigint, bigint, bigint, bigint, boolean, Partial<MailRecord>, Partial<MailRecord>, number]>([
    ['takes each kind from the side that has its higher modseq', 5n, 4n, 1n, 2n, true, {}, {}, 0],
    ['also the other way round', 4n, 5n, 2n, 1n, true, {}, {}, FLAGGED | SEEN],
    ['takes both from here', 5n, 4n, 2n, 1n, false, {}, {}, SEEN],
    ['takes both from there', 4n, 5n, 1n, 2n, true, {}, {}, FLAGGED],
    ['takes the private ones of who starts if their modseqs are equal', 4n, 5n, 2n, 2n, true, {}, {}, FLAGGED | SEEN],
    ['takes the private ones of who starts if that is the other', 5n, 4n, 2n, 2n, false, {}, {}, 0],
    ['does what one side is known to have done', 5n, 4n, 1n, 2n, true, added, {}, SEEN],
    ['and of contrary acts the one with the higher private modseq', 5n, 4n, 1n, 2n, true, added, removed, 0],
    ['whichever side that is', 4n, 5n, 2n, 1n, true, added, removed, FLAGGED | SEEN],
  ])('%s', (_, modseq, theirModseq, mine, theirs, localStarts, ourActs, theirActs, expected) => {
    const here = mailOf(1, SEEN, { modseq, ...ourActs });
    const there = mailOf(1, FLAGGED, { modseq: theirModseq, ...theirActs });
    const local = sideOf([here], { highestModseq: 9n, mails: numbered([mine]) });
    const remote = sideOf([there], { highestModseq: 9n, mails: numbered([theirs]) });
    const { plan, theirPlan } = plansOf(local, remote, { ...TWO_WAY, localStarts });
    const after = (operations: readonly MailOperation[], before: number): number =>
      operations.reduce((flags, operation) => (operation.op === 'flag' ? operation.flags : flags), before);
    expect([after(plan.operations, SEEN), after(theirPlan.operations, FLAGGED)]).toEqual([expected, expected]);
    const swapped = plansOf(remote, local, { ...TWO_WAY, localStarts: !localStarts });
    expect(swapped).toEqual({ plan: theirPlan, theirPlan: plan });
  });
});

describe('what users have changed since the last meeting', () => {
  const before: PrivateFlags = {
    uidValidity: 1,
    highestModseq: 7n,
    mails: numbered([
      { flags: SEEN, modseq: 3n },
      { flags: 0, modseq: 4n },
      { flags: SEEN, modseq: 5n },
      { flags: 0, modseq: 6n },
    ]),
  };

  test('gets new modseqs; what was not met before has the lowest, and what is gone is forgotten', () => {
    const mails = [mailOf(1, SEEN | FLAGGED), mailOf(2, SEEN), mailOf(3, FLAGGED), mailOf(5, SEEN)];
    expect(observePrivate(before, 1, { mails, expunges: [] }, true)).toEqual({
      uidValidity: 1,
      highestModseq: 9n,
      mails: new Map([
        [uid(1), { flags: SEEN, modseq: 3n }],
        [uid(2), { flags: SEEN, modseq: 8n }],
        [uid(3), { flags: 0, modseq: 9n }],
        [uid(5), { flags: SEEN, modseq: 1n }],
      ]),
    });
  });

  test('is told by a list of changes alone', () => {
    const changes = {
      mails: [mailOf(2, SEEN), mailOf(5, 0)],
      expunges: [{ uid: uid(4), guid: null, modseq: 1n }],
    };
    expect(observePrivate(before, 1, changes, false)).toEqual({
      uidValidity: 1,
      highestModseq: 8n,
      mails: new Map([
        [uid(1), { flags: SEEN, modseq: 3n }],
        [uid(2), { flags: SEEN, modseq: 8n }],
        [uid(3), { flags: SEEN, modseq: 5n }],
        [uid(5), { flags: 0, modseq: 1n }],
      ]),
    });
  });

  test.each<[string, PrivateFlags | null, number]>([
    ['nothing is remembered', null, 1],
    ['UIDs mean other mails now', before, 2],
  ])('is not known if %s', (_, known, uidValidity) => {
    expect(observePrivate(known, uidValidity, { mails: [mailOf(1, 0), mailOf(2, SEEN)], expunges: [] }, true)).toEqual({
      uidValidity,
      highestModseq: 1n,
      mails: numbered([
        { flags: 0, modseq: 1n },
        { flags: SEEN, modseq: 1n },
      ]),
    });
  });

  test('is told apart from what is the same', () => {
    expect(samePrivate(before, structuredClone(before))).toBe(true);
    expect(samePrivate(before, { ...before, highestModseq: 8n })).toBe(false);
    expect(samePrivate(before, { ...before, uidValidity: 2 })).toBe(false);
    expect(samePrivate(before, { ...before, mails: new Map([...before.mails].slice(1)) })).toBe(false);
    const other = new Map(before.mails).set(uid(4), { flags: SEEN, modseq: 6n });
    expect(samePrivate(before, { ...before, mails: other })).toBe(false);
  });
});

describe('what is remembered after a run', () => {
  const observed: PrivateFlags = {
    uidValidity: 1,
    highestModseq: 5n,
    mails: numbered([
      { flags: SEEN, modseq: 2n },
      { flags: 0, modseq: 3n },
    ]),
  };
  const theirs: PrivateModseqs = { highestModseq: 20n, mails: new Map([[uid(1), 19n]]) };
  const as = { guid: mailGuid('x'), keywords: [], modseq: 1n, rule: 'new-mail' } as const;
  const planOf = (operations: readonly MailOperation[], more: Partial<MailPlan> = {}): MailPlan => ({
    ...{ rebuild: false, operations, uidValidity: 1, uidNext: 9, highestModseq: 9n, firstRecentUid: 1 },
    ...more,
  });
  const after = (operation: MailOperation): [number, number, Modseq][] =>
    [...privateAfter(observed, theirs, { plan: planOf([operation]), theirPlan: planOf([]) }).mails].map(
      ([n, { flags, modseq }]) => [n, flags, modseq],
    );

  test.each<[string, MailOperation, [number, number, Modseq][]]>([
    [
      'a flag from there',
      { op: 'flag', uid: uid(1), flags: FLAGGED, ...as },
      [
        [1, 0, 19n],
        [2, 0, 3n],
      ],
    ],
    [
      'one without a modseq',
      { op: 'flag', uid: uid(2), flags: SEEN, ...as },
      [
        [1, SEEN, 2n],
        [2, SEEN, 6n],
      ],
    ],
    [
      'a shared flag',
      { op: 'flag', uid: uid(2), flags: FLAGGED, ...as },
      [
        [1, SEEN, 2n],
        [2, 0, 3n],
      ],
    ],
    [
      'a new mail',
      { op: 'save', uid: uid(7), remoteUid: uid(1), flags: SEEN, ...as },
      [
        [1, SEEN, 2n],
        [2, 0, 3n],
        [7, SEEN, 19n],
      ],
    ],
    [
      'one more of a mail',
      { op: 'copy', from: uid(2), uid: uid(7), flags: SEEN, ...as },
      [
        [1, SEEN, 2n],
        [2, 0, 3n],
        [7, SEEN, 3n],
      ],
    ],
    [
      'another UID',
      { op: 'renumber', from: uid(1), to: uid(7), ...as },
      [
        [2, 0, 3n],
        [7, SEEN, 2n],
      ],
    ],
    ['an expunge', { op: 'expunge', uid: uid(1), ...as }, [[2, 0, 3n]]],
  ])('%s', (_, operation, expected) => {
    expect(after(operation)).toEqual(expected);
  });

  test('no modseq of the other side is higher, and each of its changes may have raised it', () => {
    const flag = { op: 'flag', uid: uid(1), flags: SEEN, ...as } as const;
    const plans = { plan: planOf([]), theirPlan: planOf([flag, { ...flag, uid: uid(2) }]) };
    expect(privateAfter(observed, theirs, plans).highestModseq).toBe(22n);
    expect(privateAfter(observed, { highestModseq: 1n, mails: new Map() }, plans).highestModseq).toBe(5n);
  });

  test('of a side that only gives: what users did', () => {
    expect(privateAfter(observed, theirs, null)).toEqual({ ...observed, highestModseq: 20n });
  });

  test('of a mailbox that was made anew: what it consists of', () => {
    const keep = { op: 'keep', from: uid(2), uid: uid(1), flags: SEEN, ...as } as const;
    const plan = planOf([keep], { rebuild: true, uidValidity: 3 });
    expect(privateAfter(observed, theirs, { plan, theirPlan: planOf([]) })).toEqual({
      uidValidity: 3,
      highestModseq: 20n,
      mails: numbered([{ flags: SEEN, modseq: 3n }]),
    });
  });
});

/** A Dovecot's mailbox as far as it matters here: it counts each change that is made to private flags. */
class Theirs {
  flags: number[];
  modseqs: Modseq[];
  highest = 1n;

  constructor(flags: readonly number[]) {
    this.flags = [...flags];
    this.modseqs = flags.map(() => 1n);
  }

  toggle(index: number): void {
    this.set(index, (this.flags[index] ?? 0) ^ SEEN);
  }

  set(index: number, flags: number): void {
    if (((this.flags[index] ?? 0) ^ flags) & SEEN) this.modseqs[index] = ++this.highest;
    this.flags[index] = flags;
  }

  /** What it does in a run with the other side's numbers as they were told. */
  apply(operations: readonly MailOperation[], told: PrivateModseqs): void {
    for (const operation of operations) if (operation.op === 'flag') this.set(operation.uid - 1, operation.flags);
    this.modseqs = this.modseqs.map((modseq, i) => {
      const other = told.mails.get(uid(i + 1)) ?? 0n;
      return other > modseq ? other : modseq;
    });
    for (const modseq of [...this.modseqs, told.highestModseq])
      this.highest = modseq > this.highest ? modseq : this.highest;
  }
}

const MAILS = 4;
const round = fc.record({
  /** Whose user changes the mail: nobody, ours, theirs. */
  changes: fc.array(fc.constantFrom('nobody', 'we', 'they', 'they twice more'), { minLength: MAILS, maxLength: MAILS }),
  /** Of the shared flags; they are to say nothing. */
  modseqs: fc.array(fc.bigInt(1n, 9n), { minLength: 2 * MAILS, maxLength: 2 * MAILS }),
  localStarts: fc.boolean(),
});

property.prop([fc.array(round, { maxLength: 12 })], { numRuns: 500 })(
  'what one side has changed since the last run is so on both sides after the next, run after run',
  (rounds) => {
    const theirs = new Theirs([0, SEEN, 0, SEEN]);
    const ours = [...theirs.flags];
    const whole = (mails: readonly MailRecord[]): PrivateFlags =>
      observePrivate(known, 1, { mails, expunges: [] }, true);
    let known: PrivateFlags | null = null;
    known = whole(ours.map((flags, i) => mailOf(i + 1, flags)));
    known = privateAfter(known, { highestModseq: theirs.highest, mails: numbered(theirs.modseqs) }, null);
    for (const { changes, modseqs, localStarts } of rounds) {
      const wanted = [...ours];
      for (const [i, who] of changes.entries()) {
        if (who === 'nobody') continue;
        wanted[i] = (wanted[i] ?? 0) ^ SEEN;
        if (who === 'we') ours[i] = wanted[i] ?? 0;
        else for (let n = 0; n < (who === 'they' ? 1 : 3); n += 1) theirs.toggle(i);
      }
      const listOf = (flags: readonly number[], at: number): MailRecord[] =>
        flags.map((each, i) => mailOf(i + 1, each, { modseq: modseqs[at + i] ?? 1n }));
      const observed = whole(listOf(ours, 0));
      const told: PrivateModseqs = { highestModseq: theirs.highest, mails: numbered(theirs.modseqs) };
      const plans = plansOf(
        sideOf(listOf(ours, 0), privateModseqs(observed)),
        sideOf(listOf(theirs.flags, MAILS), told),
        {
          ...TWO_WAY,
          localStarts,
        },
      );
      for (const operation of plans.plan.operations)
        if (operation.op === 'flag') ours[operation.uid - 1] = operation.flags;
      theirs.apply(plans.theirPlan.operations, privateModseqs(observed));
      known = privateAfter(observed, told, plans);
      expect({ ours, theirs: theirs.flags }).toEqual({ ours: wanted, theirs: wanted });
    }
  },
);
