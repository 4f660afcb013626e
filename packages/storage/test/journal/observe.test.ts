/** What is told from two looks at a mailbox, and the bookkeeping of a sync's own changes. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ALL_FLAGS, FLAG, mailboxGuid, mailGuid, uid } from '@dsync/protocol';
import {
  addToDigest,
  applySync,
  createMemoryJournal,
  type JournalHead,
  type JournalMail,
  type Listing,
  mailDigest,
  memoryOf,
  type MemoryJournal,
  observe,
  type Observation,
  type ObservedMail,
  settleUids,
  type SyncChanges,
} from '@dsync/storage';

const GUID = mailboxGuid('a'.repeat(32));

/** A mailbox and its journal, looked at by hand. */
class Watched {
  readonly journal: MemoryJournal = createMemoryJournal();

  look(mails: readonly ObservedMail[], more: Partial<Listing> = {}): Observation {
    const head = this.journal.head(GUID);
    const listing = {
      guid: GUID,
      path: ['box'],
      uidValidity: 1,
      uidNext: 10,
      firstRecentUid: 1,
      mails,
      fingerprint: '',
      ...more,
    };
    const observation = observe(head === undefined ? null : { head, mails: this.journal.mails(GUID) }, listing);
    if (observation.changed) this.journal.apply([observation.step]);
    return observation;
  }

  sync(changes: Omit<SyncChanges, 'fingerprint'>): void {
    const memory = memoryOf(this.journal, GUID);
    if (memory === null) throw new Error('never looked at');
    this.journal.apply([applySync(memory, { ...changes, fingerprint: '' })]);
  }

  get head(): JournalHead {
    const head = this.journal.head(GUID);
    if (head === undefined) throw new Error('never looked at');
    return head;
  }

  mail(number: number): JournalMail | undefined {
    return this.journal.mail(GUID, number);
  }

  get expunges(): readonly (readonly [number, string, bigint])[] {
    return this.journal.expunges(GUID, 0n).map((expunge) => [expunge.uid, expunge.guid, expunge.modseq]);
  }
}

function mail(n: number, more: Partial<Omit<ObservedMail, 'uid'>> = {}): ObservedMail {
  return { uid: uid(n), guid: mailGuid(`m${n}`), flags: 0, keywords: [], name: `m${n}`, ...more };
}

const NO_HISTORY = { addedFlags: 0, removedFlags: 0, addedKeywords: [], removedKeywords: [] };

describe('a look', () => {
  test('the first makes everything equally old and knows of nothing done', () => {
    const box = new Watched();
    box.look([mail(1, { flags: 1, keywords: ['x'] }), mail(2)]);
    expect(box.head).toMatchObject({ highestModseq: 1n, historyFrom: 1n, baseModseq: 0n, messages: 2 });
    expect(box.mail(1)).toMatchObject({ modseq: 1n, flags: 1, keywords: ['x'], ...NO_HISTORY });
  });

  test('that finds everything as it was has nothing to write', () => {
    const box = new Watched();
    box.look([mail(1, { keywords: ['a', 'b'] })]);
    expect(box.look([mail(1, { keywords: ['b', 'a'] })]).changed).toBe(false);
    expect(box.look([mail(1, { keywords: ['b', 'a'] })], { fingerprint: 'f' }).changed).toBe(true);
    expect(box.head.highestModseq).toBe(1n);
  });

  test('gives one modseq to all that came, one to all that went, and one to each that changed', () => {
    const box = new Watched();
    box.look([mail(1), mail(2), mail(3), mail(4), mail(5)]);
    box.look([mail(1, { flags: 8 }), mail(4), mail(5, { keywords: ['x'] }), mail(6), mail(7)]);
    expect(box.head).toMatchObject({ highestModseq: 5n, messages: 5 });
    expect(box.expunges).toEqual([
      [2, 'm2', 2n],
      [3, 'm3', 2n],
    ]);
    expect([1, 4, 5, 6, 7].map((n) => box.mail(n)?.modseq)).toEqual([3n, 1n, 4n, 5n, 5n]);
  });

  test('that finds UIDs given since, and no mails under them, asks who has noted what they were', () => {
    const box = new Watched();
    const passed = (): ReadonlyMap<number, string> => new Map([2, 9, 10, 11, 12, 13].map((n) => [n, `noted${n}`]));
    box.look([mail(1)], { passed });
    box.look([mail(1), mail(11)], { uidNext: 13, passed });
    expect(box.expunges).toEqual([
      [10, 'noted10', 2n],
      [12, 'noted12', 2n],
    ]);
    expect(box.head).toMatchObject({ highestModseq: 3n, messages: 2 });
    const nobody = (): never => {
      throw new Error('nothing came and went');
    };
    box.look([mail(1), mail(11), mail(13), mail(14)], { uidNext: 15, passed: nobody });
    expect(box.expunges).toHaveLength(2);
  });

  test("keeps users' last action per flag, whatever came before", () => {
    const box = new Watched();
    box.look([mail(1, { flags: FLAG.seen, keywords: ['Old'] })]);
    box.look([mail(1, { flags: FLAG.flagged, keywords: ['New'] })]);
    expect(box.mail(1)).toMatchObject({
      addedFlags: FLAG.flagged,
      removedFlags: FLAG.seen,
      addedKeywords: ['New'],
      removedKeywords: ['Old'],
    });
    box.look([mail(1, { flags: FLAG.seen, keywords: ['OLD'] })]);
    expect(box.mail(1)).toMatchObject({
      addedFlags: FLAG.seen,
      removedFlags: FLAG.flagged,
      addedKeywords: ['OLD'],
      removedKeywords: ['New'],
    });
  });

  test('takes neither a new file name nor the case of a keyword for a change', () => {
    const box = new Watched();
    box.look([mail(1, { keywords: ['work'] })]);
    box.look([mail(1, { keywords: ['WORK'], name: 'm1:2,a' })]);
    expect(box.head.highestModseq).toBe(1n);
    expect(box.mail(1)).toMatchObject({ name: 'm1:2,a', keywords: ['WORK'], ...NO_HISTORY });
  });

  test('does not count keywords that a mail came with as added', () => {
    const box = new Watched();
    box.look([]);
    box.look([mail(1, { keywords: ['b', 'A', 'B'], flags: 3 })]);
    expect(box.mail(1)).toMatchObject({ keywords: ['A', 'b'], flags: 3, ...NO_HISTORY });
  });

  test('sees another mail behind a UID as a changed one without history', () => {
    const box = new Watched();
    box.look([mail(1)]);
    box.look([mail(1, { flags: 8 })]);
    box.look([mail(1, { flags: 8, guid: mailGuid('other') })]);
    expect(box.mail(1)).toMatchObject({ guid: 'other', modseq: 3n, ...NO_HISTORY });
    expect(box.expunges).toEqual([]);
  });

  test.each([
    ['another UIDVALIDITY', { uidValidity: 2 }],
    ['a lower UIDNEXT, as of an older copy', { uidNext: 3 }],
  ])('begins anew with %s, and takes nothing that is missing for expunged', (_, more) => {
    const box = new Watched();
    box.look([mail(1), mail(2), mail(3)]);
    box.look([mail(1, { flags: 8 }), mail(2)]);
    box.sync({ attributes: [{ scope: 'private', key: 'k', value: 'v', changedAt: 0, modseq: 0n }] });
    const { highestModseq } = box.head;
    box.look([mail(1, { flags: 8 })], more);
    expect(box.head).toMatchObject({
      highestModseq: highestModseq + 1n,
      historyFrom: highestModseq + 1n,
      baseModseq: 0n,
      messages: 1,
    });
    expect(box.mail(1)).toMatchObject({ modseq: highestModseq + 1n, ...NO_HISTORY });
    expect(box.expunges).toEqual([]);
    const digest = addToDigest(mailDigest(mail(1, { flags: 8 })), attributePart(box));
    expect(box.head.digest).toBe(digest);
  });

  test('forgets the expunge of a mail that is there again', () => {
    const box = new Watched();
    box.look([mail(1), mail(2)]);
    box.look([mail(2)]);
    box.look([mail(1), mail(2)]);
    expect(box.expunges).toEqual([]);
    expect(box.mail(1)?.modseq).toBe(3n);
  });
});

describe("a sync's own changes", () => {
  test('get modseqs above all that were, at least those that were asked for', () => {
    const box = new Watched();
    box.look([mail(1), mail(2), mail(3)]);
    box.sync({ flagged: [{ uid: 1, flags: 8, keywords: [], modseq: 1n }], expunged: [2] });
    expect([box.mail(1)?.modseq, box.head.highestModseq]).toEqual([2n, 2n]);
    expect(box.expunges).toEqual([[2, 'm2', 2n]]);
    box.sync({ saved: [{ ...mail(12), modseq: 100n }] });
    expect(box.mail(12)?.modseq).toBe(100n);
    expect(box.head).toMatchObject({ highestModseq: 100n, uidNext: 13, messages: 3 });
    box.sync({ numbers: { highestModseq: 50n, uidNext: 5, firstRecentUid: 4 } });
    expect(box.head).toMatchObject({ highestModseq: 100n, uidNext: 13, firstRecentUid: 4 });
  });

  test('clear the recorded action of just the flags that they change', () => {
    const box = new Watched();
    box.look([mail(1, { flags: FLAG.draft })]);
    box.look([mail(1, { flags: FLAG.seen | FLAG.flagged, keywords: ['a', 'b'] })]);
    box.sync({ flagged: [{ uid: 1, flags: FLAG.seen | FLAG.draft, keywords: ['A'], modseq: 0n }] });
    expect(box.mail(1)).toMatchObject({
      addedFlags: FLAG.seen,
      removedFlags: 0,
      addedKeywords: ['a'],
      removedKeywords: [],
    });
  });

  test('keep the history of a mail that gets another UID, and remember the old UID as expunged', () => {
    const box = new Watched();
    box.look([mail(1), mail(2)]);
    box.look([mail(1, { flags: 8 }), mail(2)]);
    box.sync({
      renumbered: [{ from: 1, to: uid(20), name: 'new' }],
      flagged: [{ uid: 1, flags: 9, keywords: [], modseq: 0n }],
    });
    expect(box.mail(1)).toBeUndefined();
    expect(box.mail(20)).toMatchObject({ guid: 'm1', flags: 9, addedFlags: 8, modseq: 3n, name: 'new' });
    expect(box.expunges).toEqual([[1, 'm1', 3n]]);
    expect(box.head).toMatchObject({ uidNext: 21, messages: 2 });
  });

  test('in a rebuild leave nothing of before, and modseqs as the source has them', () => {
    const box = new Watched();
    box.look([mail(1), mail(2), mail(3)]);
    box.look([mail(1, { flags: 8 })]);
    box.sync({
      rebuilt: true,
      saved: [{ ...mail(2), modseq: 1n }],
      numbers: { uidValidity: 9, uidNext: 3, highestModseq: 2n },
    });
    expect(box.head).toMatchObject({
      uidValidity: 9,
      uidNext: 3,
      highestModseq: 2n,
      historyFrom: 2n,
      messages: 1,
      digest: mailDigest(mail(2)),
    });
    expect(box.mail(2)).toMatchObject({ modseq: 1n, ...NO_HISTORY });
    expect(box.expunges).toEqual([]);
  });

  test('name no mail that is not there', () => {
    const box = new Watched();
    box.look([mail(1)]);
    expect(() => box.sync({ expunged: [2] })).toThrow(/no mail with UID 2/);
  });
});

describe('any number of looks and syncs', () => {
  const flags = fc.nat(ALL_FLAGS);
  const keywords = fc.subarray(['a', 'A', 'b', 'C', 'c']);
  const content = fc.record({ there: fc.boolean(), flags, keywords });
  const act = fc.record({ sync: fc.boolean(), mails: fc.array(content, { minLength: 6, maxLength: 6 }) });

  test('leave a digest that equals one computed from scratch, disjoint actions and rising modseqs', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 15 }), (acts) => {
        const box = new Watched();
        box.look([]);
        for (const { sync, mails } of acts) {
          const before = box.head.highestModseq;
          if (sync) syncTo(box, mails);
          else box.look(mails.flatMap((m, i) => (m.there ? [mail(i + 1, m)] : [])));
          const rows = box.journal.mails(GUID);
          expect(box.head.digest).toBe(rows.reduce((sum, row) => addToDigest(sum, mailDigest(row)), 0n));
          expect(box.head.messages).toBe(rows.length);
          expect(box.head.highestModseq).toBeGreaterThanOrEqual(before);
          const gone = box.expunges.map(([number]) => number);
          expect(rows.filter((row) => gone.includes(row.uid))).toEqual([]);
          for (const row of rows) {
            expect(row.addedFlags & row.removedFlags).toBe(0);
            expect(row.addedFlags & ~row.flags).toBe(0);
            expect(row.removedFlags & row.flags).toBe(0);
            const names = [...row.addedKeywords, ...row.removedKeywords].map((keyword) => keyword.toLowerCase());
            expect(new Set(names).size).toBe(names.length);
            expect(row.modseq).toBeLessThanOrEqual(box.head.highestModseq);
          }
        }
      }),
    );
  });

  function syncTo(
    box: Watched,
    mails: readonly { readonly there: boolean; readonly flags: number; readonly keywords: readonly string[] }[],
  ): void {
    const wanted = mails.map((m, i) => ({ ...mail(i + 1, m), there: m.there, modseq: 0n }));
    const has = (number: number): boolean => box.mail(number) !== undefined;
    box.sync({
      saved: wanted.filter((m) => m.there && !has(m.uid)),
      flagged: wanted.filter((m) => m.there && has(m.uid)),
      expunged: wanted.filter((m) => !m.there && has(m.uid)).map((m) => m.uid),
    });
  }
});

describe('mails that arrive under wanted UIDs', () => {
  const settle = (wanted: readonly number[], begin: number, next: number, present: readonly number[]): string => {
    const settled = settleUids(wanted, begin, next, present);
    const print = (moves: ReadonlyMap<number, number>): string =>
      [...moves].map(([from, to]) => `${from}→${to}`).join(' ');
    return `${print(settled.wanted)} | ${print(settled.racing)} | ${settled.uidsChanged}`;
  };

  test.each([
    ['nobody came', [4, 5], 4, 4, [1, 2, 3], ' |  | false'],
    ['nothing is wanted', [], 4, 6, [4, 5], ' |  | false'],
    ['somebody came below what is wanted', [10], 4, 5, [4], ' |  | false'],
    ['one came under the only one', [4], 4, 5, [1, 2, 3, 4], '4→5 | 4→6 | true'],
    ['one came under the first of three', [4, 5, 6], 4, 5, [4], '4→7 | 4→8 | true'],
    ['more came than are wanted', [4], 4, 7, [4, 5, 6], '4→7 | 4→8 | true'],
    ['it came before the transaction began', [4, 5], 5, 5, [1, 4], '4→6 | 4→7 | true'],
    ['it came and went again', [4], 4, 5, [1], '4→5 |  | true'],
  ])('%s', (_, wanted, begin, next, present, expected) => {
    expect(settle(wanted, begin, next, present)).toBe(expected);
  });
});

function attributePart(box: Watched): bigint {
  const mails = box.journal.mails(GUID).reduce((sum, row) => addToDigest(sum, mailDigest(row)), 0n);
  return (box.head.digest - mails + (1n << 128n)) % (1n << 128n);
}
