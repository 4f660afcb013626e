/** What every journal must do, in memory or in a file. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { mailboxGuid, uid } from '@dsync/protocol';
import {
  createMemoryJournal,
  JournalConflict,
  type Journal,
  type JournalExpunge,
  type JournalMail,
  type JournalName,
  type Met,
} from '@dsync/storage';

import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';
import { box, headOf, mailOf } from './rows.ts';

const homes: string[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) fs.rmSync(home, { recursive: true, force: true });
});

/** Opens the same journal again and again. */
const KINDS: readonly (readonly [string, () => Promise<() => Promise<Journal>>])[] = [
  [
    'in memory',
    async () => {
      const journal = createMemoryJournal();
      return async () => journal;
    },
  ],
  [
    'in a file',
    async () => {
      const home = fs.mkdtempSync(join(tmpdir(), 'dsync-journal-'));
      homes.push(home);
      return () => openLmdbJournal(join(home, 'state', 'journal'), { fsync: 'on' });
    },
  ],
];

const metAt = (highestModseq: bigint): Met => ({ highestModseq, heldBack: null });

describe.each(KINDS)('a journal %s', (_, make) => {
  test('is empty at first', async () => {
    await using journal = await (await make())();
    expect([...journal.heads()]).toEqual([]);
    expect(journal.head(box(1))).toBeUndefined();
    expect(journal.mails(box(1))).toEqual([]);
    expect(journal.expunges(box(1), 0n)).toEqual([]);
    expect(journal.names()).toEqual([]);
    expect([...journal.deletedMailboxes()]).toEqual([]);
  });

  test('gives back exactly what was written, after it was closed too', async () => {
    const open = await make();
    const head = headOf(1, {
      highestModseq: (1n << 63n) - 1n,
      digest: (1n << 128n) - 1n,
      path: ['Ä', 'b c'],
      fingerprint: 'x'.repeat(5000),
      messages: 3,
      readTo: '1795455180:2:4096',
    });
    const mails = [
      mailOf(1, {
        name: 'm1:2,S',
        flags: 31,
        keywords: ['a', 'Ö'],
        addedFlags: 1,
        removedFlags: 2,
        addedKeywords: ['a'],
        removedKeywords: ['z'],
      }),
      mailOf(300, { name: 'something else', modseq: (1n << 53n) + 1n }),
      mailOf(0xfffffffe, { name: '' }),
    ];
    const expunged = [{ uid: uid(7), guid: 'gone', modseq: 9n }];
    const attributes = [
      { scope: 'private', key: 'k'.repeat(4000), value: '', changedAt: 2 ** 40, modseq: 3n },
      { scope: 'shared', key: 'k', value: null, changedAt: 0, modseq: 0n },
    ] as const;
    const names = [name(['a', 'b'], { renamedAt: 5 }), name(['c'], { subscribed: true, subscriptionChangedAt: 6 })];
    {
      await using journal = await open();
      await journal.write([{ head, put: mails, expunged, attributes }, { head: headOf(2) }]);
      await journal.writeNames(names);
    }
    await using journal = await open();
    expect([...journal.heads()]).toEqual([
      [box(1), head],
      [box(2), headOf(2)],
    ]);
    expect(journal.head(box(1))).toEqual(head);
    expect(journal.mails(box(1))).toEqual(mails);
    expect(journal.mail(box(1), 300)).toEqual(mails[1]);
    expect(journal.mail(box(1), 299)).toBeUndefined();
    expect(journal.expunges(box(1), 8n)).toEqual(expunged);
    expect(journal.expunges(box(1), 9n)).toEqual([]);
    expect(journal.attributes(box(1)).toSorted((a, b) => (a.scope < b.scope ? -1 : 1))).toEqual(attributes);
    expect(journal.names().toSorted((a, b) => a.path.length - b.path.length)).toEqual(names.toReversed());
    expect(journal.mails(box(2))).toEqual([]);
  });

  test('keeps one mailbox apart from another with the next GUID', async () => {
    await using journal = await (await make())();
    const [first, second] = [mailboxGuid('00'.repeat(15) + 'ff'), mailboxGuid(`${'00'.repeat(14)}0100`)];
    await journal.write([
      { head: { ...headOf(1, { messages: 1 }), guid: first }, put: [mailOf(0xfffffffe)] },
      { head: { ...headOf(1, { messages: 1 }), guid: second }, put: [mailOf(1)] },
    ]);
    expect(journal.mails(first).map(({ uid: number }) => number)).toEqual([0xfffffffe]);
    expect(journal.mails(second).map(({ uid: number }) => number)).toEqual([1]);
    await journal.dropMailbox(first, null);
    expect(journal.mails(second)).toHaveLength(1);
  });

  test('replaces, removes and resets', async () => {
    await using journal = await (await make())();
    const numbers = (): number[] => journal.mails(box(1)).map(({ uid: number }) => number);
    await journal.write([{ head: headOf(1, { messages: 3 }), put: [mailOf(1), mailOf(2), mailOf(3)] }]);
    await journal.write([
      {
        head: headOf(1, { messages: 2 }),
        remove: [1],
        expunged: [{ uid: uid(1), guid: 'm1', modseq: 5n }],
        put: [mailOf(2, { flags: 8 })],
      },
    ]);
    expect(numbers()).toEqual([2, 3]);
    expect(journal.mail(box(1), 2)?.flags).toBe(8);
    expect(journal.expunges(box(1), 0n)).toHaveLength(1);
    await journal.write([{ head: headOf(1, { messages: 3 }), put: [mailOf(1)] }]);
    expect(journal.expunges(box(1), 0n)).toEqual([]);
    await journal.write([{ head: headOf(1, { messages: 1 }), reset: true, put: [mailOf(9)] }]);
    expect(numbers()).toEqual([9]);
  });

  test('holds after many steps the mails that were put last, and expunges of those that were not', async () => {
    const some = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 80 });
    const steps = fc.array(fc.record({ remove: some, put: some, reset: fc.boolean() }), { maxLength: 6 });
    const open = await make();
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        await using journal = await open();
        await journal.dropMailbox(box(1), null);
        const mails = new Map<number, JournalMail>();
        const expunges = new Map<number, JournalExpunge>();
        for (const [n, { remove, put, reset }] of all.entries()) {
          if (reset) for (const map of [mails, expunges]) map.clear();
          const expunged = remove.map((one) => ({ uid: uid(one), guid: `m${one}`, modseq: BigInt(n + 1) }));
          for (const one of expunged) {
            mails.delete(one.uid);
            expunges.set(one.uid, one);
          }
          const saved = put.map((one) => mailOf(one, { flags: n }));
          for (const mail of saved) {
            mails.set(mail.uid, mail);
            expunges.delete(mail.uid);
          }
          const head = headOf(1, { uidNext: 201, messages: mails.size });
          await journal.write([{ head, reset, remove, expunged, put: saved }]);
        }
        const inOrder = <T extends { readonly uid: number }>(found: ReadonlyMap<number, T>): T[] =>
          [...found.values()].toSorted((one, other) => one.uid - other.uid);
        expect(journal.mails(box(1))).toEqual(inOrder(mails));
        expect(journal.expunges(box(1), 0n)).toEqual(inOrder(expunges));
        for (let one = 1; one <= 201; one++) expect(journal.mail(box(1), one)).toEqual(mails.get(one));
      }),
      { numRuns: 50 },
    );
  });

  test('moves everything to another GUID', async () => {
    await using journal = await (await make())();
    const attribute = { scope: 'private', key: 'k', value: 'v', changedAt: 0, modseq: 1n } as const;
    const expunge = { uid: uid(1), guid: 'm1', modseq: 5n };
    await journal.write([
      { head: headOf(1, { messages: 1 }), put: [mailOf(2)], expunged: [expunge], attributes: [attribute] },
    ]);
    await journal.write([{ head: headOf(2, { messages: 2 }), formerGuid: box(1), put: [mailOf(3)] }]);
    expect([...journal.heads().keys()]).toEqual([box(2)]);
    expect(journal.mails(box(2)).map(({ uid: number }) => number)).toEqual([2, 3]);
    expect(journal.expunges(box(2), 0n)).toEqual([expunge]);
    expect(journal.attributes(box(2))).toEqual([attribute]);
    expect(journal.mails(box(1))).toEqual([]);
  });

  test('remembers deleted mailboxes until they come back', async () => {
    await using journal = await (await make())();
    await journal.write([{ head: headOf(1, { messages: 1 }), put: [mailOf(1)] }, { head: headOf(2) }]);
    await journal.dropMailbox(box(1), 1234);
    await journal.dropMailbox(box(2), null);
    expect([...journal.heads()]).toEqual([]);
    expect(journal.mails(box(1))).toEqual([]);
    expect([...journal.deletedMailboxes()]).toEqual([[box(1), 1234]]);
    await journal.write([{ head: headOf(1) }]);
    expect([...journal.deletedMailboxes()]).toEqual([]);
    expect(journal.mails(box(1))).toEqual([]);
  });

  test('remembers for each peer by itself how mailboxes were, as long as they are here', async () => {
    const open = await make();
    {
      await using journal = await open();
      await journal.write([{ head: headOf(1) }, { head: headOf(2) }]);
      expect([...journal.metAt('a.example')]).toEqual([]);
      const modseqs = [(1n << 63n) - 1n, 7n, 8n] as const;
      await journal.writeMet('a.example', new Map(modseqs.map((modseq, i) => [box(i + 1), metAt(modseq)])));
      await journal.writeMet('b.example', new Map([[box(1), metAt(9n)]]));
    }
    await using journal = await open();
    expect([...journal.metAt('a.example')]).toEqual([
      [box(1), metAt((1n << 63n) - 1n)],
      [box(2), metAt(7n)],
    ]);
    await journal.dropMailbox(box(1), null);
    await journal.writeMet('a.example', new Map([[box(2), metAt(10n)]]));
    expect([...journal.metAt('a.example')]).toEqual([[box(2), metAt(10n)]]);
    expect([...journal.metAt('b.example')]).toEqual([[box(1), metAt(9n)]]);
  });

  test('remembers what a filter has kept from one side', async () => {
    const open = await make();
    const ranges = [
      [1, 1],
      [3, 900],
      [70_000, 4_294_967_294],
    ] as const;
    const met: ReadonlyMap<ReturnType<typeof box>, Met> = new Map([
      [box(1), { highestModseq: null, heldBack: { uidValidity: 4_294_967_295, theirs: ranges, ours: [] } }],
      [box(2), { highestModseq: 7n, heldBack: { uidValidity: 1, theirs: [], ours: ranges } }],
    ]);
    {
      await using journal = await open();
      await journal.write([{ head: headOf(1) }, { head: headOf(2) }]);
      await journal.writeMet('a.example', met);
    }
    await using journal = await open();
    expect(journal.metAt('a.example')).toEqual(met);
  });

  test('remembers private flags until the mailbox is made anew or gone', async () => {
    const open = await make();
    const flags = {
      uidValidity: 0xffffffff,
      highestModseq: (1n << 63n) - 1n,
      mails: new Map([
        [uid(1), { flags: 8, modseq: 1n }],
        [uid(0xfffffffe), { flags: 0, modseq: (1n << 63n) - 1n }],
      ]),
    };
    {
      await using journal = await open();
      await journal.write([{ head: headOf(1) }, { head: headOf(2) }]);
      expect(journal.privateFlags(box(1))).toBeNull();
      for (const n of [1, 2, 3]) await journal.writePrivateFlags(box(n), flags);
    }
    await using journal = await open();
    expect([1, 2, 3].map((n) => journal.privateFlags(box(n)))).toEqual([flags, flags, null]);
    await journal.write([{ head: headOf(4), formerGuid: box(1) }]);
    expect([1, 4].map((n) => journal.privateFlags(box(n)))).toEqual([null, flags]);
    await journal.write([{ head: headOf(4), reset: true }]);
    await journal.dropMailbox(box(2), null);
    expect([2, 4].map((n) => journal.privateFlags(box(n)))).toEqual([null, null]);
  });

  test('remembers few peers, and always the present one', async () => {
    await using journal = await (await make())();
    await journal.write([{ head: headOf(1) }]);
    for (let n = 1; n <= 17; n += 1) await journal.writeMet(`host${n}`, new Map([[box(1), metAt(BigInt(n))]]));
    expect([...journal.metAt('host17')]).toEqual([[box(1), metAt(17n)]]);
    expect([...journal.metAt('host1'), ...journal.metAt('host16')]).toEqual([]);
  });

  test('forgets a name of which nothing is left to remember', async () => {
    await using journal = await (await make())();
    await journal.writeNames([name(['a'], { removedAt: 1 }), name(['b'], { createdAt: 2 })]);
    await journal.writeNames([name(['a'], {}), name(['b'], { createdAt: 3 })]);
    expect(journal.names()).toEqual([name(['b'], { createdAt: 3 })]);
  });

  test('refuses a step made from a head that is no longer true, and all that came with it', async () => {
    await using journal = await (await make())();
    const before = headOf(1);
    const other = headOf(1, { highestModseq: 7n });
    await journal.write([{ before: null, head: before }]);
    await journal.write([{ before, head: other }]);
    const late = journal.write([
      { head: headOf(2) },
      { before, head: headOf(1, { highestModseq: 8n }), put: [mailOf(1)] },
    ]);
    await expect(late).rejects.toBeInstanceOf(JournalConflict);
    await expect(journal.write([{ before: null, head: other }])).rejects.toBeInstanceOf(JournalConflict);
    expect([...journal.heads()]).toEqual([[box(1), other]]);
    expect(journal.mails(box(1))).toEqual([]);
  });

  test('writes what is asked for at the same time, each for itself', async () => {
    await using journal = await (await make())();
    const numbers = Array.from({ length: 50 }, (_each, i) => i + 1);
    const results = await Promise.allSettled([
      ...numbers.map((n) => journal.write([{ before: null, head: headOf(n) }])),
      journal.write([{ before: headOf(60), head: headOf(60), put: [mailOf(1)] }]),
      journal.write([{ before: headOf(1, { messages: 3 }), head: headOf(1, { highestModseq: 9n }) }]),
    ]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(journal.heads().size).toBe(51);
  });
});

function name(path: readonly string[], more: Partial<JournalName>): JournalName {
  return { path, renamedAt: 0, createdAt: 0, subscribed: false, subscriptionChangedAt: 0, removedAt: 0, ...more };
}
