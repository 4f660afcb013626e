/** With a Dovecot: what it is told so that it expunges nothing that is only missing, and what is remembered. */
import { describe, expect, test } from '@jest/globals';
import { fc, test as property } from '@fast-check/jest';

import type { HeldBack } from '@dsync/storage';

import { allHeldBack, doubtfulIn } from '../../src/mails/held-back.ts';
import { planSafely, type SafeMerge } from '../../src/mails/plan-safely.ts';
import { hasUid, rangesOf, unionOf } from '../../src/mails/uid-ranges.ts';
import type { MailFilter } from '../../src/options.ts';
import { ModelMailbox } from './model-mailbox.ts';
import { TWO_WAY } from './run-plan.ts';

const FLAGGED = 2;

/** `1=a 2=b!` is a mailbox of two mails, the second of them flagged; `next=` its UIDNEXT, `x2=b` an expunge that is remembered. */
function box(text: string): ModelMailbox {
  const made = new ModelMailbox();
  for (const word of text.split(' ').filter((one) => one !== '')) {
    const [uid = '', guid = ''] = word.split('=');
    if (uid === 'next') made.uidNext = Number(guid);
    else made.put(Number(uid.replace('x', '')), guid.replace('!', ''), guid.endsWith('!') ? FLAGGED : 0);
    if (uid.startsWith('x')) made.expunge(Number(uid.slice(1)));
  }
  return made;
}

type Planned = Extract<SafeMerge, { kind: 'plan' }>;

function planned(ours: string, theirs: string, filter: MailFilter, known: HeldBack | null, mode = TWO_WAY): Planned {
  const merge = planSafely(box(ours).side(), box(theirs).side(), { ...mode, evidence: 'position', filter }, known);
  if (merge.kind !== 'plan') throw new Error(merge.reason);
  return merge;
}

const told = ({ standIns, moves }: Planned): readonly string[] => [
  ...standIns.map(({ uid }) => `stands in ${uid}`),
  ...[...moves].map(([from, to]) => `told ${from} as ${to}`),
];
const does = ({ local }: Planned): readonly string[] =>
  local.operations.map((o) => ('from' in o ? `${o.op} ${o.from}` : `${o.op} ${o.uid}`));

const NOTHING: HeldBack = { uidValidity: 1000, theirs: [], ours: [] };
const FLAG: MailFilter = { flag: '\\Flagged' };

describe('a mail that the Dovecot has and we have not', () => {
  test.each<[string, string, string, MailFilter, HeldBack | null, readonly string[], readonly string[]]>([
    ['is outside the filter', '2=b!', '1=a 2=b!', FLAG, null, ['stands in 1'], []],
    ['was held back before', '2=b', '1=a 2=b', {}, { ...NOTHING, theirs: [[1, 1]] }, ['stands in 1'], ['save 3']],
    ['is there at a first meeting', '2=b', '1=a 2=b', {}, allHeldBack(1000), ['stands in 1'], ['save 3']],
    ['was expunged, for all that is known', '2=b', '1=a 2=b', {}, null, [], []],
    ['was expunged here', 'x1=a 2=b', '1=a 2=b', {}, allHeldBack(1000), [], []],
    ['is here under another UID', '2=b 3=a', '1=a 2=b', {}, allHeldBack(1000), [], []],
    ['lies behind all that both have', '1=a', '1=a 2=b', FLAG, allHeldBack(1000), [], []],
  ])('%s', (_, ours, theirs, filter, known, isTold, isDone) => {
    const merge = planned(ours, theirs, filter, known);
    expect([told(merge), does(merge)]).toEqual([isTold, isDone]);
  });
});

describe('a mail that we have and the Dovecot has not', () => {
  test.each<[string, string, string, MailFilter, HeldBack | null, readonly string[], readonly string[]]>([
    ['is outside the filter', '1=a 2=b!', '2=b!', FLAG, null, [], []],
    ['was held back before', '1=a 2=b', '2=b', {}, { ...NOTHING, ours: [[1, 1]] }, ['told 1 as 3'], ['renumber 1']],
    ['is here at a first meeting', '1=a 2=b', '2=b', {}, allHeldBack(1000), ['told 1 as 3'], ['renumber 1']],
    ['was expunged there, for all that is known', '1=a 2=b', '2=b', {}, null, [], ['expunge 1']],
    ['was expunged there', '1=a 2=b', 'x1=a 2=b', {}, allHeldBack(1000), [], ['expunge 1']],
    ['is there under another UID', '1=a 2=b', '2=b 3=a', {}, allHeldBack(1000), [], ['renumber 1']],
  ])('%s', (_, ours, theirs, filter, known, isTold, isDone) => {
    const merge = planned(ours, theirs, filter, known);
    expect([told(merge), does(merge)]).toEqual([isTold, isDone]);
  });
});

test('a mail that both have under UIDs that the other has not is moved, not expunged by both', () => {
  const merge = planned('1=a 2=b 4=d', '2=b 3=a 4=d', {}, null);
  expect([told(merge), does(merge)]).toEqual([['told 1 as 5'], ['renumber 1']]);
});

test('what is on one side only after a run is remembered until one without a filter', () => {
  const filtered = planned('1=a 2=b! 4=d!', '2=b! 3=c 4=d!', FLAG, null);
  expect(filtered.apart).toEqual({ uidValidity: 1000, theirs: [[3, 3]], ours: [[1, 1]] });
  expect(planned('1=a 2=b! 4=d!', '2=b! 3=c 4=d!', {}, filtered.apart).apart).toBeNull();
});

test('where we are the destination, own mails that the source may never have had are left alone', () => {
  const oneWay = { ...TWO_WAY, mode: 'one-way', source: 'remote' } as const;
  const merge = planned('1=a 2=b', '2=b', {}, allHeldBack(1000), oneWay);
  expect([told(merge), does(merge), merge.equalAfter]).toEqual([[], [], false]);
  expect(does(planned('1=a 2=b', '2=b', {}, null, oneWay))).toEqual(['expunge 1']);
});

test('UIDNEXT does not rise over what a filter keeps away', () => {
  expect(planned('1=a!', '1=a! 2=b 3=c!', FLAG, null).local.uidNext).toBe(4);
  expect(planned('1=a!', '1=a! 2=b! 3=c', FLAG, null).local.uidNext).toBe(3);
});

test('of UIDs of another UIDVALIDITY nothing is known', () => {
  const known: HeldBack = { uidValidity: 1000, theirs: [[3, 3]], ours: [] };
  const [same, other] = [{ uidValidity: 1000 }, { uidValidity: 1001 }];
  expect(doubtfulIn(known, same, same)).toEqual(known);
  expect(doubtfulIn(null, same, same)).toBeNull();
  for (const [l, r] of [
    [same, other],
    [other, same],
    [other, other],
  ] as const)
    expect(doubtfulIn(known, l, r)).toEqual(allHeldBack(l.uidValidity));
});

describe('ranges of UIDs', () => {
  const uids = fc.array(fc.integer({ min: 1, max: 40 }));

  property.prop([uids, uids])('hold what is put into them, and no more', (a, b) => {
    const union = unionOf(rangesOf(a), rangesOf(b));
    const all = Array.from({ length: 42 }, (_, uid) => uid);
    expect(all.filter((uid) => hasUid(union, uid))).toEqual(all.filter((uid) => a.includes(uid) || b.includes(uid)));
    expect(union).toEqual(rangesOf([...a, ...b]));
  });
});
