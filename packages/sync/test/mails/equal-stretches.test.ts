import { mailGuid, type Uid, uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';
import { fc, test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import {
  digestStretches,
  equalStretches,
  isIn,
  stretchBits,
  withEqualMails,
  withoutEqual,
} from '../../src/mails/equal-stretches.ts';
import type { MailMerge, MailSide } from '../../src/mails/mail-plan.ts';
import { planMails } from '../../src/mails/plan-mails.ts';
import { pairs } from './mail-arbitraries.ts';
import { TWO_WAY } from './run-plan.ts';

const mail = (n: number, changed: Partial<MailRecord> = {}): MailRecord => ({
  uid: uid(n),
  guid: mailGuid(`mail-${n}`),
  flags: 0,
  keywords: [],
  modseq: 1n,
  addedFlags: 0,
  removedFlags: 0,
  addedKeywords: [],
  removedKeywords: [],
  ...changed,
});
const uids = (mails: readonly MailRecord[]): readonly Uid[] => mails.map((one) => one.uid);

describe('how UIDs are cut', () => {
  test.each([
    [1, 2],
    [511, 2],
    [512, 3],
    [20_001, 8],
    [4_294_967_295, 25],
  ])('up to UIDNEXT %i by %i bits', (uidNext, bits) => {
    expect(stretchBits(uidNext)).toBe(bits);
  });
});

describe('stretches of four UIDs', () => {
  const ours = [1, 2, 3, 5, 9, 14].map((n) => mail(n));
  const equalOf = (told: readonly string[], toldByPeer: readonly string[]): readonly number[] => {
    const equal = equalStretches(told, toldByPeer, 2);
    return [0, 1, 2, 3, 4, 5].filter((index) => isIn(equal, index * 4));
  };
  const both = (theirs: readonly MailRecord[]): readonly number[] =>
    equalOf(digestStretches(ours, 2), digestStretches(theirs, 2));

  test.each<readonly [string, readonly MailRecord[], readonly number[]]>([
    ['the same mails', ours, [0, 1, 2, 3, 4, 5]],
    ['other modseqs and actions', ours.map((one) => ({ ...one, modseq: 9n, addedFlags: 1 })), [0, 1, 2, 3, 4, 5]],
    ['one more at the end', [...ours, mail(15)], [0, 1, 2, 4, 5]],
    ['one more in a stretch that had none', [...ours, mail(20)], [0, 1, 2, 3, 4]],
    ['one less', ours.filter((one) => one.uid !== 5), [0, 2, 3, 4, 5]],
    ['another flag', ours.map((one) => (one.uid === 9 ? { ...one, flags: 8 } : one)), [0, 1, 3, 4, 5]],
    ['another keyword', ours.map((one) => (one.uid === 2 ? { ...one, keywords: ['k'] } : one)), [1, 2, 3, 4, 5]],
    ['another GUID', ours.map((one) => (one.uid === 14 ? { ...one, guid: mailGuid('x') } : one)), [0, 1, 2, 4, 5]],
    ['nothing', [], [4, 5]],
  ])('with %s', (_what, theirs, equal) => {
    expect(both(theirs)).toEqual(equal);
  });

  test('keywords in another order are the same ones, in another spelling they are not', () => {
    const with_ = (...keywords: string[]): string[] => digestStretches([mail(1, { keywords })], 2);
    expect(with_('a', 'b')).toEqual(with_('b', 'a'));
    expect(with_('a')).not.toEqual(with_('A'));
  });

  test('what a peer says that is no stretch equals none', () => {
    const told = digestStretches(ours, 2);
    expect(equalOf(told, ['', '0', '0:', 'x:y', `0:${'0'.repeat(32)}`])).toEqual([4, 5]);
  });

  test('what was not told is put in its place', () => {
    const theirs = [...ours.filter((one) => one.uid !== 5), mail(15)];
    const equal = equalStretches(digestStretches(ours, 2), digestStretches(theirs, 2), 2);
    const told = theirs.filter((one) => !isIn(equal, one.uid));
    expect(uids(told)).toEqual([14, 15]);
    expect(uids(withEqualMails(told, ours, equal, 1n))).toEqual([1, 2, 3, 9, 14, 15]);
  });
});

property.prop([pairs(), fc.boolean(), fc.constantFrom('two-way', 'one-way', 'backup')], { numRuns: 1000 })(
  'a merge plans the same whether a peer tells all of its mails or leaves out what both have alike',
  ([a, b], localStarts, mode) => {
    const local = withNamedRecords(a.side());
    const remote = { ...withNamedRecords(b.side()), uidValidity: a.uidValidity };
    const context = { ...TWO_WAY, localStarts, mode, source: 'remote' } as const;
    const equal = equalStretches(digestStretches(local.mails, 1), digestStretches(remote.mails, 1), 1);
    const told = withoutEqual(remote, equal);
    const whole = withEqualMails(told.mails, local.mails, equal, remote.highestModseq);
    const merge = planMails(local, { ...remote, mails: whole, expunges: told.expunges }, context);
    expect(withoutKeptModseqs(merge)).toEqual(withoutKeptModseqs(planMails(local, remote, context)));
  },
);

/** Stores of ours know which mail was expunged. */
function withNamedRecords(side: MailSide): MailSide {
  return { ...side, expunges: side.expunges.filter((record) => record.guid !== null) };
}

/** A mailbox that a backup makes anew keeps its mails with one side's modseqs or the other's. */
function withoutKeptModseqs(merge: MailMerge): MailMerge {
  if (merge.kind !== 'plan') return merge;
  const operations = merge.local.operations.map((one) => (one.op === 'keep' ? { ...one, modseq: 0n } : one));
  return { ...merge, local: { ...merge.local, operations } };
}
