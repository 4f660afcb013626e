/** Own changes that may be older than the common state, beside the peer's, which are not. */
import { FLAG, mailGuid, uid } from '@dsync/protocol';
import type { ExpungeRecord, MailRecord } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';

import { accountsForAll, changesSinceTheirs } from '../../src/mails/own-since.ts';
import type { MailSide } from '../../src/mails/mail-plan.ts';
import { planMails } from '../../src/mails/plan-mails.ts';
import { swapped, TWO_WAY } from './run-plan.ts';

const NOTHING = { addedFlags: 0, removedFlags: 0, addedKeywords: [], removedKeywords: [] };

function mail(n: number, more: Partial<Omit<MailRecord, 'uid'>> = {}): MailRecord {
  return { uid: uid(n), guid: mailGuid(`m${n}`), modseq: 5n, flags: 0, keywords: [], ...NOTHING, ...more };
}

const expunge = (n: number, modseq: bigint): ExpungeRecord => ({ uid: uid(n), guid: `m${n}`, modseq });

const side = (highestModseq: bigint, mails: readonly MailRecord[]): MailSide => ({
  ...{ uidValidity: 1, uidNext: 4, messages: 3, firstRecentUid: 1 },
  ...{ highestModseq, mails, expunges: [] },
});
const lookup = (own: MailRecord): Required<Pick<MailSide, 'lookup'>> => ({
  lookup: (n) => (n === own.uid ? own : undefined),
});

/** What both ends come to for mail 1, of which `was` is the other side's when nobody lists it as changed there. */
function merged(own: MailRecord, theirs: MailRecord | null, was: MailRecord): unknown {
  const list = changesSinceTheirs([own], theirs === null ? [] : [theirs], 3, 90n);
  const context = { ...TWO_WAY, localStarts: false, common: { uid: 3, modseq: 4n } } as const;
  const ours = side(50n, list);
  const other = side(90n, theirs === null ? [] : [theirs]);
  const here = planMails({ ...ours, ...lookup(own) }, other, context);
  const there = planMails({ ...other, ...lookup(theirs ?? was) }, ours, swapped(context));
  if (here.kind !== 'plan' || there.kind !== 'plan') throw new Error('the state does not hold');
  const result = (plan: typeof here, before: MailRecord): unknown => {
    const [change] = plan.local.operations;
    const { flags, keywords } = change?.op === 'flag' ? change : before;
    return { flags, keywords };
  };
  expect(result(there, theirs ?? was)).toEqual(result(here, own));
  return result(here, own);
}

describe('both ends conclude the same', () => {
  test.each([
    [
      'what came with the state and was taken away there stays away',
      mail(1, { keywords: ['Kept', 'Was'], addedKeywords: ['Kept', 'Was'] }),
      mail(1, { keywords: ['Kept'], removedKeywords: ['Was'], modseq: 2n }),
      { flags: 0, keywords: ['Kept'] },
    ],
    [
      'what was set there comes, though it was removed here before',
      mail(1, { removedFlags: FLAG.flagged }),
      mail(1, { flags: FLAG.flagged, addedFlags: FLAG.flagged, modseq: 2n }),
      { flags: FLAG.flagged, keywords: [] },
    ],
    [
      'what differs and was not changed there was changed here, though nothing tells how',
      mail(1, { flags: FLAG.seen }),
      mail(1, { flags: FLAG.draft, keywords: ['There', 'Old'], addedKeywords: ['There'], modseq: 80n }),
      { flags: FLAG.seen, keywords: ['There'] },
    ],
    [
      'a mail that was changed here alone is as it is here',
      mail(1, { flags: FLAG.seen, keywords: ['New'] }),
      null,
      { flags: FLAG.seen, keywords: ['New'] },
    ],
  ])('%s', (_, own, theirs, expected) => {
    expect(merged(own, theirs, mail(1, { keywords: ['Old'], flags: FLAG.draft, modseq: 80n }))).toEqual(expected);
  });

  test('mails above the common UID are new ones, told as they are', () => {
    const fresh = mail(4, { flags: FLAG.seen });
    expect(changesSinceTheirs([fresh], [mail(4)], 3, 90n)).toEqual([fresh]);
  });
});

describe('every mail of the state is accounted for', () => {
  const known = [mail(1, { modseq: 3n }), mail(3, { modseq: 8n })];
  test.each([
    ['all are here', [...known, mail(4), mail(5)], [expunge(2, 2n)], 5, 4, true],
    ['one was expunged since', [...known, mail(5)], [expunge(2, 2n), expunge(4, 9n)], 5, 4, true],
    ['one is gone without a record', [...known, mail(5)], [expunge(2, 2n)], 5, 4, false],
    ['older gaps are not of it', [mail(3, { modseq: 3n }), mail(4)], [], 4, 2, true],
    ['more are here than were', [...known, mail(4), mail(5)], [expunge(2, 2n)], 5, 3, false],
    ['newer ones do not count', [...known, mail(4), mail(9)], [expunge(2, 2n)], 4, 3, true],
    ['UIDs up to the highest', [mail(4_294_967_290)], [], 4_294_967_295, 1, false],
  ])('%s: %#', (_, mails, expunges, commonUid, messages, expected) => {
    expect(accountsForAll({ mails, expunges }, { uid: commonUid, messages }, 3n)).toBe(expected);
  });
});
