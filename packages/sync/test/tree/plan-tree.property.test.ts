import { fc, test } from '@fast-check/jest';
import { describe, expect } from '@jest/globals';

import { planTree, type TreeMergeContext, type TreeOperation } from '@dsync/sync';
import { build, worlds, type World } from './tree-arbitraries.ts';
import type { StrictStore } from './strict-store.ts';

const RUNS = { numRuns: Number(process.env['DSYNC_TREE_RUNS'] ?? 1000) };
const TWO_WAY: TreeMergeContext = { mode: 'two-way', source: 'local', altChar: '_' };
const LAYOUTS = {
  'Maildir++': { a: {}, b: {} },
  'LAYOUT=fs': { a: { directories: true }, b: { directories: true } },
};

function run(
  a: StrictStore,
  b: StrictStore,
  context = TWO_WAY,
): { local: readonly TreeOperation[]; remote: readonly TreeOperation[] } {
  const plan = planTree(a.snapshot(), b.snapshot(), context);
  a.apply(plan.local);
  b.apply(plan.remote);
  return plan;
}

/** Mailboxes that nobody deleted, less those whose GUID was given up because they became one with another. */
function survivors(a: StrictStore, b: StrictStore, operations: readonly TreeOperation[]): Set<string> {
  const gone = new Set<string>([...a.deletedGuids(), ...b.deletedGuids()]);
  for (const o of operations) if (o.op === 'adopt-guid') gone.add(o.from);
  return new Set([...a.guids(), ...b.guids()].filter((g) => !gone.has(g)));
}

describe.each(Object.entries(LAYOUTS))('two-way merge of %s trees', (_, layout) => {
  test.prop([worlds], RUNS)('both sides end with the same mailboxes, directories and subscriptions', (world) => {
    const { a, b } = build(world, layout);
    run(a, b);
    expect(b.picture()).toEqual(a.picture());
  });

  test.prop([worlds], RUNS)('the run after it has nothing to do', (world) => {
    const { a, b } = build(world, layout);
    run(a, b);
    const again = run(a, b);
    expect([...again.local, ...again.remote]).toEqual([]);
  });

  test.prop([worlds], RUNS)(
    'no mailbox disappears that nobody deleted, and a deleted one does not come back',
    (world) => {
      const { a, b } = build(world, layout);
      const before = { a: a.clone(), b: b.clone() };
      const plan = run(a, b);
      const expected = survivors(before.a, before.b, [...plan.local, ...plan.remote]);
      for (const g of expected) expect(a.guids()).toContain(g);
      for (const g of before.a.deletedGuids()) if (!before.a.guids().has(g)) expect(b.guids()).not.toContain(g);
    },
  );

  test.prop([worlds], RUNS)('swapping the sides swaps the result', (world) => {
    const { a, b } = build(world, layout);
    const one = planTree(a.snapshot(), b.snapshot(), TWO_WAY);
    const other = planTree(b.snapshot(), a.snapshot(), { ...TWO_WAY, source: 'remote' });
    expect(other.local).toEqual(one.remote);
    expect(other.remote).toEqual(one.local);
    expect(other.mailboxes.map((m) => m.guid).sort()).toEqual(one.mailboxes.map((m) => m.guid).sort());
  });

  test.prop([worlds], RUNS)('the order in which a tree is listed does not matter', (world) => {
    const { a, b } = build(world, layout);
    const [x, y] = [a.snapshot(), b.snapshot()];
    const plan = planTree(x, y, TWO_WAY);
    const turned = planTree(
      { ...x, nodes: [...x.nodes].toReversed() },
      { ...y, nodes: [...y.nodes].toReversed() },
      TWO_WAY,
    );
    expect(turned).toEqual(plan);
  });

  test.prop([worlds, fc.nat(), fc.nat()], RUNS)(
    'interrupted anywhere on both sides, the next run completes it',
    (world, i, j) => {
      const { a, b } = build(world, layout);
      const before = { a: a.clone(), b: b.clone() };
      const plan = planTree(a.snapshot(), b.snapshot(), TWO_WAY);
      a.apply(plan.local.slice(0, i % (plan.local.length + 1)));
      b.apply(plan.remote.slice(0, j % (plan.remote.length + 1)));
      const repair = run(a, b);
      expect(b.picture()).toEqual(a.picture());
      const all = [...plan.local, ...plan.remote, ...repair.local, ...repair.remote];
      for (const g of survivors(before.a, before.b, all)) expect(a.guids()).toContain(g);
      const again = run(a, b);
      expect([...again.local, ...again.remote]).toEqual([]);
    },
  );

  test.prop([worlds, worlds], RUNS)(
    'a second round of changes after the first run converges as well',
    (world, next) => {
      const { a, b } = build(world, layout);
      run(a, b);
      build2(next, a, b);
      run(a, b);
      expect(b.picture()).toEqual(a.picture());
    },
  );
});

/** The second world's actions on stores that have a history. */
function build2(world: World, a: StrictStore, b: StrictStore): void {
  for (const [store, actions] of [[a, world.a] as const, [b, world.b] as const]) {
    actions.forEach((does, i) => {
      try {
        if (does.kind === 'rename') store.rename(does.path, does.to, 2000 + i);
        const there = store.guidAt(does.path);
        if (does.kind === 'delete' && there) store.delete(does.path, there, 2000 + i);
        if (does.kind === 'subscribe' || does.kind === 'unsubscribe')
          store.subscribe(does.path, does.kind === 'subscribe', 2000 + i);
      } catch {
        // What a store refuses does not happen.
      }
    });
  }
}

describe.each(Object.entries(LAYOUTS))('one-sided modes on %s trees', (_, layout) => {
  test.prop([worlds, fc.boolean()], RUNS)(
    'backup makes the destination as the source is, which stays untouched',
    (world, reverse) => {
      const { a, b } = build(world, layout);
      const context: TreeMergeContext = { ...TWO_WAY, mode: 'backup', source: reverse ? 'remote' : 'local' };
      const [source, destination] = reverse ? [b, a] : [a, b];
      const before = source.picture();
      run(a, b, context);
      expect(source.picture()).toEqual(before);
      expect(destination.picture()).toEqual(before);
      const again = run(a, b, context);
      expect([...again.local, ...again.remote]).toEqual([]);
    },
  );

  test.prop([worlds, fc.boolean()], RUNS)(
    'one-way leaves the source alone and takes nothing from the destination but what the source deleted',
    (world, reverse) => {
      const { a, b } = build(world, layout);
      const context: TreeMergeContext = { ...TWO_WAY, mode: 'one-way', source: reverse ? 'remote' : 'local' };
      const [source, destination] = reverse ? [b, a] : [a, b];
      const before = { source: source.clone(), destination: destination.clone() };
      const plan = run(a, b, context);
      expect(source.picture()).toEqual(before.source.picture());
      for (const g of survivors(before.source, before.destination, [...plan.local, ...plan.remote]))
        expect(destination.guids()).toContain(g);
      // A name that came from the renaming of a parent which the source has deleted takes a second run to settle.
      run(a, b, context);
      run(a, b, context);
      const again = run(a, b, context);
      expect([...again.local, ...again.remote]).toEqual([]);
    },
  );

  test.prop([worlds], RUNS)(
    'one-way pairs every mailbox that both sides have by its GUID, whatever its names',
    (world) => {
      const { a, b } = build(world, layout);
      const plan = planTree(a.snapshot(), b.snapshot(), { ...TWO_WAY, mode: 'one-way' });
      b.apply(plan.remote);
      for (const mailbox of plan.mailboxes) {
        expect(b.guidAt(mailbox.remotePath)).toBe(mailbox.guid);
        expect(a.guidAt(mailbox.localPath)).toBe(mailbox.guid);
      }
      const common = [...a.guids()].filter((g) => b.guids().has(g));
      expect(plan.mailboxes.map((m) => m.guid).sort()).toEqual(common.sort());
    },
  );
});
