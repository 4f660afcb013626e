/** What holds for every pair of mailboxes. DSYNC_PROPERTY_RUNS raises the number of runs of each property. */
import { guid128 } from '@dsync/protocol';
import { describe, expect, jest } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import type { MailMergeContext } from '../../src/mails/mail-plan.ts';
import { applyEdits, edits, pairs } from './mail-arbitraries.ts';
import type { ModelMailbox } from './model-mailbox.ts';
import { plan, sync, TWO_WAY } from './run-plan.ts';

// Without time a property is cut short silently.
jest.setTimeout(300_000);

const RUNS = { numRuns: Number(process.env['DSYNC_PROPERTY_RUNS'] ?? 500) };
const starts = fc.boolean();

/** A generated value is not changed: it may be tried again and is printed when a property fails. */
function copies([a, b]: readonly [ModelMailbox, ModelMailbox]): readonly [ModelMailbox, ModelMailbox] {
  return [a.copy(), b.copy()];
}

function nothingLeft(a: ModelMailbox, b: ModelMailbox, context: MailMergeContext): void {
  const again = plan(a, b, { ...context, common: null });
  expect(again).toMatchObject({
    kind: 'plan',
    local: { operations: [], rebuild: false },
    remote: { operations: [], rebuild: false },
  });
}

/** Mails that somebody expunged and left a record of, under a UID that they had there. */
function isRecorded(box: ModelMailbox, uid: number, guid: string): boolean {
  const record = box.expunges.get(uid);
  return record !== undefined && (record.guid === null || record.guid === guid || record.guid === guid128(guid));
}

function count(guids: readonly string[], guid: string): number {
  return guids.filter((g) => g === guid).length;
}

describe('two-way', () => {
  test.prop([pairs(), starts], RUNS)(
    'ends with equal sides after one run, and has nothing left to do',
    (pair, localStarts) => {
      const [a, b] = copies(pair);
      const context = { ...TWO_WAY, localStarts };
      sync(a, b, context);
      expect(a.seen()).toEqual(b.seen());
      expect([a.uidValidity, a.uidNext, a.highestModseq, a.firstRecentUid]).toEqual([
        b.uidValidity,
        b.uidNext,
        b.highestModseq,
        b.firstRecentUid,
      ]);
      nothingLeft(a, b, context);
    },
  );

  test.prop([pairs(), starts], RUNS)(
    'loses no mail that no record tells to be expunged, and doubles none',
    (pair, localStarts) => {
      const [a, b] = copies(pair);
      const [beforeA, beforeB] = [a.copy(), b.copy()];
      sync(a, b, { ...TWO_WAY, localStarts });
      const after = a.guids();
      for (const guid of new Set([...beforeA.guids(), ...beforeB.guids()])) {
        const unrecorded = (box: ModelMailbox, other: ModelMailbox): number =>
          box
            .records()
            .filter(
              (mail) =>
                mail.guid === guid && (box.uidValidity !== other.uidValidity || !isRecorded(other, mail.uid, guid)),
            ).length;
        const least = Math.max(unrecorded(beforeA, beforeB), unrecorded(beforeB, beforeA));
        expect(count(after, guid)).toBeGreaterThanOrEqual(least);
        const sameUid = beforeA
          .records()
          .filter((m) => m.guid === guid && beforeB.mails.get(m.uid)?.guid === guid).length;
        const [inA, inB] = [count(beforeA.guids(), guid), count(beforeB.guids(), guid)];
        expect(count(after, guid)).toBeLessThanOrEqual(sameUid + Math.max(inA - sameUid, inB - sameUid));
      }
    },
  );

  test.prop([pairs(), starts], RUNS)(
    'lets no mail come out that neither side had, nor with a UID that meant another mail',
    (pair, localStarts) => {
      const [a, b] = copies(pair);
      const [beforeA, beforeB] = [a.copy(), b.copy()];
      sync(a, b, { ...TWO_WAY, localStarts });
      for (const { uid, guid } of a.seen()) {
        const had = [beforeA, beforeB].filter((box) => uid < box.uidNext);
        for (const box of had)
          expect([undefined, guid]).toContain(box.records().find((mail) => mail.uid === uid)?.guid);
      }
    },
  );

  test.prop([pairs({ forgetful: false }), edits({ forgetful: false }), edits({ forgetful: false }), starts], RUNS)(
    'does every recorded expunge, run after run',
    (pair, here, there, localStarts) => {
      const [a, b] = copies(pair);
      const context = { ...TWO_WAY, localStarts };
      sync(a, b, context);
      const shared = new Map(a.seen().map(({ uid, guid }) => [uid, guid]));
      applyEdits(a, here);
      applyEdits(b, there);
      const gone = [...shared].filter(([uid]) => a.expunges.has(uid) || b.expunges.has(uid));
      sync(a, b, context);
      expect(a.seen()).toEqual(b.seen());
      for (const [uid] of gone) expect(a.seen().some((mail) => mail.uid === uid)).toBe(false);
      for (const [uid, guid] of shared) {
        if (!gone.some(([other]) => other === uid)) expect(a.seen().find((mail) => mail.uid === uid)?.guid).toBe(guid);
      }
    },
  );

  test.prop([pairs({ forgetful: false }), edits({ forgetful: false }), edits({ forgetful: false }), starts], RUNS)(
    'ends the same with a common state as with complete lists',
    (pair, here, there, localStarts) => {
      const [a, b] = copies(pair);
      const context = { ...TWO_WAY, localStarts };
      sync(a, b, context);
      const common = {
        uid: a.uidNext - 1,
        modseq: a.highestModseq < b.highestModseq ? a.highestModseq : b.highestModseq,
      };
      applyEdits(a, here);
      applyEdits(b, there);
      sync(a, b, { ...context, common });
      expect(a.seen()).toEqual(b.seen());
      nothingLeft(a, b, context);
    },
  );

  test.prop([pairs(), starts, fc.boolean()], RUNS)(
    'converges when only one end carried out its plan before the run broke off',
    (pair, localStarts, first) => {
      const [a, b] = copies(pair);
      const context = { ...TWO_WAY, localStarts };
      const merge = plan(a, b, context);
      if (merge.kind !== 'plan') throw new Error(merge.reason);
      const most = new Map(
        [...a.guids(), ...b.guids()].map((guid) => [guid, Math.max(count(a.guids(), guid), count(b.guids(), guid))]),
      );
      if (first) a.apply(merge.local, b);
      else b.apply(merge.remote, a);
      sync(a, b, { ...context, localStarts: !localStarts });
      expect(a.seen()).toEqual(b.seen());
      // No GUID is lost altogether for having been given another UID.
      for (const guid of most.keys()) {
        const planned =
          merge.local.operations.some((o) => o.op === 'expunge' && o.guid === guid) ||
          merge.remote.operations.some((o) => o.op === 'expunge' && o.guid === guid);
        if (!planned) expect(a.guids()).toContain(guid);
      }
      nothingLeft(a, b, context);
    },
  );

  test.prop([pairs(), starts], RUNS)(
    'by position agrees too, and both ends make the same plans',
    (pair, localStarts) => {
      const [a, b] = copies(pair);
      const context: MailMergeContext = { ...TWO_WAY, localStarts, evidence: 'position' };
      sync(a, b, context);
      expect(a.seen()).toEqual(b.seen());
      nothingLeft(a, b, context);
    },
  );
});

describe('backup', () => {
  test.prop([pairs(), fc.constantFrom('local', 'remote')], RUNS)(
    'makes the destination exactly the source in one run',
    (pair, source) => {
      const [a, b] = copies(pair);
      const context: MailMergeContext = { ...TWO_WAY, mode: 'backup', source };
      const [from, to] = source === 'local' ? [a, b] : [b, a];
      const before = from.copy();
      sync(a, b, context);
      expect(from).toEqual(before);
      expect(to.seen()).toEqual(from.seen());
      expect([to.uidValidity, to.uidNext]).toEqual([from.uidValidity, from.uidNext]);
      nothingLeft(a, b, context);
    },
  );

  test.prop([pairs(), fc.integer({ min: 0, max: 5 })], RUNS)(
    'with a filter leaves everything outside it alone',
    (pair, bit) => {
      const [a, b] = copies(pair);
      const name = ['\\Seen', '-\\Seen', '\\Flagged', 'KW1', '-kw2', '\\Draft'][bit] ?? '';
      const context: MailMergeContext = { ...TWO_WAY, mode: 'backup', filter: { flag: name } };
      const outside = (box: ModelMailbox): readonly string[] =>
        box
          .records()
          .filter((mail) => !passes(mail, name))
          .map(({ guid }) => guid);
      const [source, kept, had] = [a.guids(), outside(b), b.guids()];
      sync(a, b, context);
      expect(a.guids()).toEqual(source);
      for (const guid of kept) expect(b.guids()).toContain(guid);
      // What the source has inside the filter is there; what it has outside is not copied.
      for (const mail of a.records()) {
        if (passes(mail, name))
          expect(b.seen()).toContainEqual({
            uid: mail.uid,
            guid: mail.guid,
            flags: mail.flags,
            keywords: mail.keywords.map((keyword) => keyword.toLowerCase()),
          });
        else if (!had.includes(mail.guid) && !a.records().some((m) => m.guid === mail.guid && passes(m, name)))
          expect(b.guids()).not.toContain(mail.guid);
      }
      expect(plan(a, b, context)).toMatchObject({ kind: 'plan', remote: { operations: [], rebuild: false } });
    },
  );
});

describe('one-way', () => {
  test.prop([pairs(), fc.constantFrom('local', 'remote'), starts], RUNS)(
    'never touches the source, and is stable',
    (pair, source, localStarts) => {
      const [a, b] = copies(pair);
      const context: MailMergeContext = { ...TWO_WAY, mode: 'one-way', source, localStarts };
      const [from, to] = source === 'local' ? [a, b] : [b, a];
      const before = from.copy();
      const own = to.guids();
      const recorded = to.copy();
      sync(a, b, context);
      expect(from).toEqual(before);
      expect(to.uidValidity).toBe(from.uidValidity);
      for (const mail of before.records()) {
        if (recorded.uidValidity !== before.uidValidity || !isRecorded(recorded, mail.uid, mail.guid))
          expect(to.guids()).toContain(mail.guid);
      }
      for (const guid of own) {
        const wasExpunged = [...before.expunges.values()].some(
          (r) => r.guid === null || r.guid === guid || r.guid === guid128(guid),
        );
        if (!wasExpunged) expect(to.guids()).toContain(guid);
      }
      // A record without GUID may come to be believed by the first run's mails; nothing but flags can follow from it.
      const again = sync(a, b, context);
      expect([...again.local.operations, ...again.remote.operations].filter(({ op }) => op !== 'flag')).toEqual([]);
      nothingLeft(a, b, context);
    },
  );
});

describe('a two-way run with a filter', () => {
  test.prop([pairs(), starts, fc.constantFrom('\\Seen', '-\\Seen', 'kw1', '-KW2')], RUNS)(
    'removes no mail outside it, copies none, and an unfiltered run afterwards brings them',
    (pair, localStarts, flag) => {
      const [a, b] = copies(pair);
      const context: MailMergeContext = { ...TWO_WAY, localStarts, filter: { flag } };
      const before = [a.copy(), b.copy()] as const;
      sync(a, b, context);
      for (const [box, old] of [
        [a, before[0]],
        [b, before[1]],
      ] as const) {
        for (const mail of old.records()) if (!passes(mail, flag)) expect(box.guids()).toContain(mail.guid);
      }
      const wanted = new Set(
        [...before[0].records(), ...before[1].records()].filter((mail) => passes(mail, flag)).map(({ guid }) => guid),
      );
      for (const guid of b.guids()) if (!before[1].guids().includes(guid)) expect(wanted).toContain(guid);
      expect(plan(a, b, context)).toMatchObject({ local: { operations: [] }, remote: { operations: [] } });
      sync(a, b, { ...context, filter: {} });
      expect(a.seen()).toEqual(b.seen());
    },
  );
});

function passes(mail: { readonly flags: number; readonly keywords: readonly string[] }, text: string): boolean {
  const wanted = !text.startsWith('-');
  const name = (wanted ? text : text.slice(1)).toLowerCase();
  const bit = { '\\seen': 8, '\\flagged': 2, '\\draft': 16 }[name];
  return (
    wanted === (bit === undefined ? mail.keywords.some((k) => k.toLowerCase() === name) : (mail.flags & bit) !== 0)
  );
}
