/** Trees of stores that cannot have the same names: separators, layouts, lengths, characters that one refuses. */
import { fc, test } from '@fast-check/jest';
import { describe, expect } from '@jest/globals';

import type { MailboxPath } from '@dsync/protocol';
import { hashedName } from '@dsync/storage';
import { planTree, type TreeMergeContext, type TreeOperation } from '@dsync/sync';
import { build, worldsOf } from './tree-arbitraries.ts';
import type { StrictStore } from './strict-store.ts';

const RUNS = { numRuns: Number(process.env['DSYNC_TREE_RUNS'] ?? 400) };

/** As a Maildir: characters that are a separator on disk, a tilde in front, a name that is too long. */
const legalIn =
  (refused: RegExp, maxLength: number) =>
  (path: MailboxPath): MailboxPath => {
    const parts = path.map((part, depth) => {
      const text = part.replaceAll(refused, '_');
      return depth === 0 && text.startsWith('~') ? `_${text}` : text;
    });
    return parts.join('.').length > maxLength ? [hashedName(path)] : parts;
  };

const LONG = 'l'.repeat(250);
const STORES: Readonly<Record<string, ConstructorParameters<typeof StrictStore>[0]>> = {
  'separator /': { separator: '/' },
  'separator .': { separator: '.' },
  'separator / with directories': { separator: '/', directories: true },
  'separator . with directories': { separator: '.', directories: true },
  'Maildir++, separator /': { separator: '/', legal: legalIn(/[./]/g, 255) },
  'Maildir++, separator .': { separator: '.', legal: legalIn(/[./]/g, 255) },
  'LAYOUT=fs, separator .': { separator: '.', directories: true, legal: legalIn(/[./]/g, 2000) },
  'LAYOUT=fs, separator /': { separator: '/', directories: true, legal: legalIn(/\//g, 2000) },
};
const stores = fc.constantFrom(...Object.keys(STORES));
const unlike = worldsOf(fc.constantFrom('a', 'a.b', 'a/b', 'a_b', '~a', '_~a', LONG, `${LONG}.b`));

interface Plans {
  readonly a: readonly TreeOperation[];
  readonly b: readonly TreeOperation[];
}

/** Each side goes by what its own store can have. */
function run(a: StrictStore, b: StrictStore, mode: TreeMergeContext['mode'] = 'two-way'): Plans {
  const [x, y] = [a.snapshot(), b.snapshot()];
  const context = { mode, altChar: '_' };
  const plans = {
    a: planTree(x, y, { ...context, source: 'local', legalHere: a.legal }).local,
    b: planTree(y, x, { ...context, source: 'remote', legalHere: b.legal }).local,
  };
  a.apply(plans.a);
  b.apply(plans.b);
  return { a: doneIn(a, plans.a), b: doneIn(b, plans.b) };
}

/** A directory without a mailbox is nothing in a store that has none. */
function doneIn(store: StrictStore, operations: readonly TreeOperation[]): readonly TreeOperation[] {
  return operations.filter(({ op }) => store.directories || op !== 'create-directory');
}

const canHave = ({ separator, legal }: StrictStore, path: MailboxPath): boolean =>
  legal(path).join('\0') === path.join('\0') && !path.some((part) => part.includes(separator));

/** Mailboxes that both could call alike and do not, with names that are not made up. */
function unlikeNames(a: StrictStore, b: StrictStore): string[] {
  const others = new Map([...b.entries.values()].map(({ guid, path }) => [guid, path]));
  return [...a.entries.values()].flatMap(({ guid, path }) => {
    const other = guid === undefined ? undefined : others.get(guid);
    if (!other || !canHave(b, path) || !canHave(a, other)) return [];
    const names = [path.join(' '), other.join(' ')];
    return names[0] === names[1] || names.some((name) => name.includes('-temp-')) ? [] : [names.join(' = ')];
  });
}

describe('stores that cannot have the same names', () => {
  test.prop([unlike, stores, stores], RUNS)(
    'have the same mailboxes after one run, and nothing is left to do',
    (world, x, y) => {
      const { a, b } = build(world, { a: STORES[x], b: STORES[y] });
      const deleted = new Set([...a.deletedGuids(), ...b.deletedGuids()]);
      const before = new Set([...a.guids(), ...b.guids()].filter((guid) => !deleted.has(guid)));
      const { a: ofA, b: ofB } = run(a, b);
      for (const operation of [...ofA, ...ofB]) if (operation.op === 'adopt-guid') before.delete(operation.from);
      expect([...b.guids()].sort()).toEqual([...a.guids()].sort());
      for (const guid of before) expect(a.guids()).toContain(guid);
      expect(unlikeNames(a, b)).toEqual([]);
      const again = run(a, b);
      // A subscription or directory can have become a mailbox's that has its name in place of another one.
      expect([...again.a, ...again.b].filter(({ op }) => !/subscribe|directory/.test(op))).toEqual([]);
      expect(run(a, b)).toEqual({ a: [], b: [] });
    },
  );

  test.prop([unlike, stores, stores], RUNS)(
    'a source stays as it is, and its destination comes to rest',
    (world, x, y) => {
      for (const mode of ['backup', 'one-way'] as const) {
        const { a, b } = build(world, { a: STORES[x], b: STORES[y] });
        const before = a.picture();
        run(a, b, mode);
        if (mode === 'backup') expect([...b.guids()].sort()).toEqual([...a.guids()].sort());
        else for (const guid of a.guids()) if (!b.deletedGuids().has(guid)) expect(b.guids()).toContain(guid);
        expect(a.picture()).toEqual(before);
        run(a, b, mode);
        expect(run(a, b, mode)).toEqual({ a: [], b: [] });
      }
    },
  );
});
