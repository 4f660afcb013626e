/** Single decisions, with everything that the plans say. */
import { guid128, MAX_UID } from '@dsync/protocol';
import { describe, expect, test } from '@jest/globals';

import { SyncError } from '../../src/errors.ts';
import { mayUseCommon, planMails } from '../../src/mails/plan-mails.ts';
import { ModelMailbox } from './model-mailbox.ts';
import { plan, sync, TWO_WAY, type PlannedMerge } from './run-plan.ts';

const SEEN = 8;
const FLAGGED = 2;

/** Both sides with mails 1 … n called m1 … mn. */
function pair(n: number): readonly [ModelMailbox, ModelMailbox] {
  const box = new ModelMailbox();
  for (let uid = 1; uid <= n; uid++) box.put(uid, `m${uid}`);
  return [box.copy(), box.copy()];
}

function planned(a: ModelMailbox, b: ModelMailbox, context = TWO_WAY): PlannedMerge {
  const merge = plan(a, b, context);
  if (merge.kind !== 'plan') throw new Error(merge.reason);
  return merge;
}

const uids = (box: ModelMailbox): readonly string[] => box.seen().map(({ uid, guid }) => `${uid}=${guid}`);

describe('what is believed to be expunged', () => {
  test.each([
    ['the mail’s GUID', 'm2', true],
    ['its 128-bit form', guid128('m2'), true],
    ['its 128-bit form in capitals', guid128('m2').toUpperCase(), true],
    ['no GUID, below the end of the common part', null, true],
    ['another GUID', 'zz', false],
    ['the 128-bit form of another GUID', guid128('zz'), false],
  ])('a record with %s', (_, guid, isBelieved) => {
    const [a, b] = pair(3);
    a.expunge(2);
    for (const [uid, record] of a.expunges) a.expunges.set(uid, { ...record, guid });
    const { local, remote } = planned(a, b);
    expect(remote.operations.map(({ op }) => op)).toEqual(isBelieved ? ['expunge'] : ['renumber']);
    expect(local.operations.map(({ op }) => op)).toEqual(isBelieved ? [] : ['save']);
  });

  test('a record without GUID says nothing of the highest UID', () => {
    const [a, b] = pair(3);
    a.expunge(3, 'null');
    sync(a, b, TWO_WAY);
    expect(uids(a)).toEqual(['1=m1', '2=m2', '4=m3']);
  });

  test('a record that names the mail is believed beyond the end of the common part', () => {
    const [a, b] = pair(1);
    for (const guid of ['x', 'k']) a.append(guid);
    for (const guid of ['y', 'k']) b.append(guid);
    a.expunge(3);
    sync(a, b, TWO_WAY);
    expect(uids(b)).toEqual(['1=m1', '4=x', '5=y']);
  });

  test('records under another UIDVALIDITY speak of other mails', () => {
    const [a, b] = pair(3);
    a.expunge(2);
    a.uidValidity += 1;
    sync(a, b, TWO_WAY);
    expect(uids(a)).toEqual(['1=m1', '3=m3', '4=m2']);
    expect(b.uidValidity).toBe(1000);
  });

  test('a mail missing without a record goes back to where it is missing, and says why', () => {
    const [a, b] = pair(3);
    a.expunge(2, 'none');
    const { local, remote } = planned(a, b);
    expect(local.operations).toMatchObject([
      { op: 'save', uid: 4, guid: 'm2', remoteUid: 2, rule: 'missing-without-record' },
    ]);
    expect(remote.operations).toMatchObject([
      { op: 'renumber', from: 2, to: 4, guid: 'm2', rule: 'missing-without-record' },
    ]);
  });

  test('by position, as with a Dovecot, it counts as expunged', () => {
    const [a, b] = pair(3);
    a.expunge(2, 'none');
    const { local, remote } = planned(a, b, { ...TWO_WAY, evidence: 'position' });
    expect(local.operations).toEqual([]);
    expect(remote.operations).toEqual([{ op: 'expunge', uid: 2, guid: 'm2', rule: 'expunged-by-position' }]);
  });
});

describe('new UIDs', () => {
  test('a mail that the side has already is copied there, not fetched', () => {
    const [a, b] = pair(1);
    b.append('m1', SEEN);
    expect(planned(a, b).local.operations).toEqual([
      { op: 'copy', from: 1, uid: 2, guid: 'm1', flags: SEEN, keywords: [], modseq: 2n, rule: 'new-mail' },
    ]);
  });

  test('a mail that one side gave another UID moves on the other too, and keeps what was done to its flags', () => {
    const [a, b] = pair(2);
    a.append('m1', FLAGGED);
    a.expunge(1);
    b.setFlags(1, SEEN, ['kw']);
    const { local, remote } = planned(a, b);
    expect(remote.operations).toMatchObject([
      { op: 'flag', uid: 1, flags: SEEN | FLAGGED, keywords: ['kw'] },
      { op: 'renumber', from: 1, to: 3, guid: 'm1' },
    ]);
    expect(local.operations).toMatchObject([{ op: 'flag', uid: 3, flags: SEEN | FLAGGED, keywords: ['kw'] }]);
  });

  test('the largest UID can be given away, and not one more', () => {
    const [a, b] = pair(1);
    for (const box of [a, b]) box.uidNext = MAX_UID - 1;
    a.append('x');
    b.append('y');
    b.append('z');
    // z keeps its UID, the largest; nothing is left for x and y.
    expect(() => planMails(a.side(), b.side(), TWO_WAY)).toThrow(SyncError);
    expect(() => planMails(a.side(), b.side(), TWO_WAY)).toThrow(expect.objectContaining({ code: 'UidsExhausted' }));
    b.expunge(MAX_UID, 'none');
    b.expunge(MAX_UID - 1, 'none');
    b.uidNext = MAX_UID;
    sync(a, b, TWO_WAY);
    expect(uids(b)).toEqual(['1=m1', `${MAX_UID}=x`]);
    expect(b.uidNext).toBe(MAX_UID + 1);
    expect(planned(a, b).local.operations).toEqual([]);
  });
});

describe('flags', () => {
  test('a merge is told to both sides by a modseq above what each had', () => {
    const [a, b] = pair(1);
    a.setFlags(1, SEEN, []);
    b.setFlags(1, FLAGGED, []);
    b.setFlags(1, FLAGGED, ['x']);
    const { local, remote } = planned(a, b);
    expect(local.operations).toEqual([
      { op: 'flag', uid: 1, flags: SEEN | FLAGGED, keywords: ['x'], modseq: 4n, rule: 'flags-merged' },
    ]);
    expect(remote.operations).toEqual(local.operations);
    expect([local.highestModseq, remote.highestModseq]).toEqual([4n, 4n]);
  });

  test('another spelling of a keyword is no difference, also where a store can keep only one', () => {
    const [a, b] = pair(1);
    a.setFlags(1, 0, ['KWX']);
    b.setFlags(1, 0, ['kwx']);
    const { local, remote } = planned(a, b);
    expect([...local.operations, ...remote.operations]).toEqual([]);
  });

  test('a keyword removed under another spelling is removed', () => {
    const [a, b] = pair(1);
    for (const box of [a, b]) box.put(1, 'm1', 0, ['Work']);
    a.setFlags(1, 0, []);
    b.setFlags(1, SEEN, ['work']);
    sync(a, b, TWO_WAY);
    expect(b.seen()).toEqual([{ uid: 1, guid: 'm1', flags: SEEN, keywords: [] }]);
  });
});

describe('backup', () => {
  const backup = { ...TWO_WAY, mode: 'backup' } as const;

  test('a mail expunged in the destination makes it anew, keeping what is there', () => {
    const [a, b] = pair(3);
    b.expunge(2);
    b.setFlags(3, SEEN, []);
    const { local, remote } = planned(a, b, backup);
    expect(local.operations).toEqual([]);
    expect(remote.rebuild).toBe(true);
    expect(remote.operations).toMatchObject([
      { op: 'keep', from: 1, uid: 1, guid: 'm1' },
      { op: 'save', remoteUid: 2, uid: 2, guid: 'm2' },
      { op: 'keep', from: 3, uid: 3, guid: 'm3', flags: 0 },
    ]);
  });

  test('mails under other UIDs are kept, not fetched', () => {
    const [a, b] = pair(3);
    b.renumberAll(77);
    b.expunge(1);
    const { remote } = planned(a, b, backup);
    expect(remote.operations.map(({ op }) => op)).toEqual(['save', 'keep', 'keep']);
    expect(remote.uidValidity).toBe(1000);
  });

  test.each(['-O \\Seen', '-t 2000', '-I 100'])('mails held back by %s are no reason to make it anew', (which) => {
    const a = new ModelMailbox();
    a.put(1, 'out', 0, [], { received: 1000, virtualSize: 200 });
    a.put(2, 'in', SEEN, [], { received: 2000, virtualSize: 100 });
    const b = new ModelMailbox();
    const filter = which.startsWith('-O')
      ? { flag: '\\Seen' }
      : which.startsWith('-t')
        ? { since: 2000 }
        : { maxSize: 100 };
    const context = { ...backup, filter };
    sync(a, b, context);
    expect(uids(b)).toEqual(['2=in']);
    expect(planned(a, b, context)).toMatchObject({ remote: { rebuild: false, operations: [] }, equalAfter: false });
    // Without the filter the gap is filled at once.
    sync(a, b, backup);
    expect(uids(b)).toEqual(['1=out', '2=in']);
  });

  test('a mail whose date is not known is left alone', () => {
    const [a, b] = pair(2);
    b.append('extra');
    const remote = { ...b.side(), facts: new Map() };
    expect(planMails(a.side(), remote, { ...backup, filter: { since: 5 } })).toMatchObject({
      remote: { operations: [] },
    });
  });
});

describe('one-way', () => {
  test('UIDVALIDITY is the source’s, and the source’s numbers stay', () => {
    const [a, b] = pair(2);
    b.uidValidity = 5000;
    b.append('x');
    b.append('y');
    const { local, remote } = planned(a, b, { ...TWO_WAY, mode: 'one-way' });
    expect(local).toEqual({
      rebuild: false,
      operations: [],
      uidValidity: 1000,
      uidNext: 3,
      highestModseq: 1n,
      firstRecentUid: 1,
    });
    expect(remote.uidValidity).toBe(1000);
  });
});

describe('a common state', () => {
  const common = { uid: 3, modseq: 1n };
  const stateful = { ...TWO_WAY, common };

  test('only what changed is looked at', () => {
    const [a, b] = pair(3);
    a.setFlags(1, SEEN, []);
    b.expunge(2);
    b.append('n');
    const { local, remote } = planned(a, b, stateful);
    expect(local.operations.map(({ op, rule }) => [op, rule])).toEqual([
      ['expunge', 'expunged-there'],
      ['save', 'new-mail'],
    ]);
    expect(remote.operations).toMatchObject([{ op: 'flag', uid: 1, flags: SEEN }]);
  });

  test.each([
    ['UIDNEXT went back', (b: ModelMailbox) => void (b.uidNext = 3), 'uid_next 3 <= last common UID 3'],
    ['HIGHESTMODSEQ went back', (b: ModelMailbox) => void (b.highestModseq = 0n), 'highest_modseq 0 < 1'],
    ['UIDVALIDITY differs', (b: ModelMailbox) => void (b.uidValidity = 1), 'UIDVALIDITY differs: 1 and 1000'],
  ])('does not hold if %s', (_, change, reason) => {
    const [a, b] = pair(3);
    change(b);
    const side = { ...b.side(common), mails: [] };
    expect(planMails(a.side(common), side, stateful)).toEqual({ kind: 'stale-state', reason });
  });

  test('does not hold if both sides changed different mails under one UID', () => {
    const [a, b] = pair(3);
    a.setFlags(2, SEEN, []);
    b.put(2, 'zz');
    b.setFlags(2, SEEN, []);
    expect(plan(a, b, stateful)).toEqual({
      kind: 'stale-state',
      reason: 'Unexpected GUID mismatch for UID=2: m2 != zz',
    });
  });

  test('does not hold if another mail lies behind a UID that only the other side changed', () => {
    const [a, b] = pair(3);
    a.setFlags(2, SEEN, []);
    b.put(2, 'zz');
    expect(plan(a, b, stateful)).toEqual({
      kind: 'stale-state',
      reason: 'Unexpected GUID mismatch for UID=2: m2 != zz',
    });
  });

  test('is of no use with a filter or for a backup, and says nothing with UID 0', () => {
    const [a, b] = pair(3);
    const filtered = { ...stateful, filter: { flag: '\\Seen' } };
    expect(mayUseCommon(filtered)).toBe(false);
    expect(mayUseCommon({ ...stateful, mode: 'backup' })).toBe(false);
    expect(mayUseCommon({ ...stateful, mode: 'one-way' })).toBe(true);
    expect(plan(a, b, filtered).kind).toBe('stale-state');
    expect(plan(a, b, { ...filtered, common: { uid: 0, modseq: 0n } }).kind).toBe('plan');
  });

  test('that a Dovecot insists on: of a filtered run and of a backup into what has not changed, changes alone', () => {
    const told = { ...stateful, evidence: 'position' } as const;
    const [a, b] = pair(3);
    a.setFlags(1, SEEN, []);
    a.append('n');
    expect(planned(a, b, { ...told, filter: { flag: '\\Flagged' } }).remote.operations).toMatchObject([
      { op: 'flag', uid: 1, flags: SEEN },
    ]);
    const backup = { ...told, mode: 'backup', source: 'local' } as const;
    expect(planned(a, b, backup).remote.operations.map(({ op }) => op)).toEqual(['flag', 'save']);
    b.expunge(2);
    expect(plan(a, b, backup)).toEqual({
      kind: 'stale-state',
      reason: 'the destination of the backup has changed since',
    });
  });

  test('is not to be remembered where the run leaves differences', () => {
    const [a, b] = pair(3);
    expect(planned(a, b).equalAfter).toBe(true);
    b.append('x');
    expect(planned(a, b).equalAfter).toBe(true);
    expect(planned(a, b, { ...TWO_WAY, mode: 'one-way' }).equalAfter).toBe(false);
    expect(planned(a, b, { ...TWO_WAY, filter: { flag: '\\Seen' } }).equalAfter).toBe(false);
  });
});
