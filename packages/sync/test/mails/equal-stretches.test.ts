import { mailGuid, type Uid, uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';
import { fc, test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import { digestStretches, equalStretches, isIn, stretchBits, withEqualMails } from '../../src/mails/equal-stretches.ts';
import type { MailMerge } from '../../src/mails/mail-plan.ts';
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
  const both = (theirs: readonly MailRecord[]): readonly number[] => [
    ...equalStretches(digestStretches(ours, 2), digestStretches(theirs, 2), 2).indexes,
  ];

  test.each<readonly [string, readonly MailRecord[], readonly number[]]>([
    ['the same mails', ours, [0, 1, 2, 3]],
    ['other modseqs and actions', ours.map((one) => ({ ...one, modseq: 9n, addedFlags: 1 })), [0, 1, 2, 3]],
    ['one more at the end', [...ours, mail(15)], [0, 1, 2]],
    ['one more in a stretch that had none', [...ours, mail(20)], [0, 1, 2, 3]],
    ['one less', ours.filter((one) => one.uid !== 5), [0, 2, 3]],
    ['another flag', ours.map((one) => (one.uid === 9 ? { ...one, flags: 8 } : one)), [0, 1, 3]],
    ['another keyword', ours.map((one) => (one.uid === 2 ? { ...one, keywords: ['k'] } : one)), [1, 2, 3]],
    ['another GUID', ours.map((one) => (one.uid === 14 ? { ...one, guid: mailGuid('x') } : one)), [0, 1, 2]],
    ['nothing', [], []],
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
    expect([...equalStretches(told, ['', '0', '0:', 'x:y', `0:${'0'.repeat(32)}`], 2).indexes]).toEqual([]);
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
    const [local, remote] = [a.side(), { ...b.side(), uidValidity: a.uidValidity }];
    const context = { ...TWO_WAY, localStarts, mode, source: 'remote' } as const;
    const equal = equalStretches(digestStretches(local.mails, 1), digestStretches(remote.mails, 1), 1);
    const told = remote.mails.filter((one) => !isIn(equal, one.uid));
    const whole = withEqualMails(told, local.mails, equal, remote.highestModseq);
    const merge = planMails(local, { ...remote, mails: whole }, context);
    expect(withoutKeptModseqs(merge)).toEqual(withoutKeptModseqs(planMails(local, remote, context)));
  },
);

/** A mailbox that a backup makes anew keeps its mails with one side's modseqs or the other's. */
function withoutKeptModseqs(merge: MailMerge): MailMerge {
  if (merge.kind !== 'plan') return merge;
  const operations = merge.local.operations.map((one) => (one.op === 'keep' ? { ...one, modseq: 0n } : one));
  return { ...merge, local: { ...merge.local, operations } };
}
