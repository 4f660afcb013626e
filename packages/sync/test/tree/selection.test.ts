import type { TreeSnapshot } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';

import { guidsOf, planTree, selectTree, selectTrees, type Selection } from '@dsync/sync';
import { planFor } from '../../src/tree/plan-for.ts';
import { inNamespaces, selectionFor } from '../../src/tree/selection.ts';
import { guid, StrictStore } from './strict-store.ts';

const ALL: Selection = { exclude: [], namespaces: [], allNamespaces: false };
const TWO_WAY = { mode: 'two-way', source: 'local', altChar: '_' } as const;

function store(...names: readonly string[]): StrictStore {
  const made = new StrictStore({ directories: true });
  names.forEach((name, i) => made.create(name.split('/'), guid(`c${i}`)));
  return made;
}

function selects(name: string, selection: Partial<Selection>): boolean {
  return shown(selectTree(store(name).snapshot(), { ...ALL, ...selection })).includes(name);
}

function shown(tree: TreeSnapshot): string[] {
  return tree.nodes.map((n) => n.path.join('/') + (n.mailbox ? '' : n.exists ? '/' : '*')).sort();
}

describe('patterns', () => {
  test.each([
    ['foo', 'foo', true],
    ['foo/sub', 'foo', false],
    ['foo/sub', 'foo*', true],
    ['foo/sub', 'foo%', false],
    ['foobar', 'foo%', true],
    ['foo/sub', '%/s%b', true],
    ['INBOX', 'inbox', true],
    ['INBOX/x', 'Inbox/%', true],
    ['inboxes', 'INBOX*', false],
    ['a.c', 'a.c', true],
    ['abc', 'a.c', false],
  ])('LIST pattern: %s against %s: %p', (name, pattern, expected) => {
    expect(selects(name, { mailbox: pattern })).toBe(expected);
  });

  test.each([
    ['foo/bar', 'foo*', true],
    ['foo', 'FOO', false],
    ['bar', 'b?r', true],
    ['br', 'b?r', false],
    ['b😀r', 'b?r', true],
  ])('mask: %s against %s: %p', (name, mask, expected) => {
    expect(!selects(name, { exclude: [mask] })).toBe(expected);
  });

  test('a pattern made to take for ever does not', () => {
    expect(selects('a'.repeat(5000), { mailbox: `${'a*'.repeat(200)}b` })).toBe(false);
  });
});

describe('selectTree', () => {
  test.each<[string, Partial<Selection>, readonly string[]]>([
    ['everything', {}, ['bar', 'dir/', 'foo', 'foo/sub', 'sub*']],
    ['-m foo', { mailbox: 'foo' }, ['foo']],
    ['-m foo*', { mailbox: 'foo*' }, ['foo', 'foo/sub']],
    ['-m empty: the whole tree', { mailbox: '' }, ['bar', 'dir/', 'foo', 'foo/sub', 'sub*']],
    ['-g', { mailboxGuid: guid('c2') }, ['bar', 'sub*']],
    ['-x foo keeps what is below and subscriptions', { exclude: ['foo'] }, ['bar', 'dir/', 'foo/sub', 'sub*']],
    ['-x *: subscriptions stay', { exclude: ['*'] }, ['sub*']],
    ['-m and -x', { mailbox: 'foo*', exclude: ['foo/*'] }, ['foo']],
    ['nothing', { mailbox: 'nope' }, []],
  ])('%s', (_, selection, expected) => {
    const full = store('foo', 'foo/sub', 'bar');
    full.createDirectory(['dir']);
    full.subscribe(['sub'], true, 5);
    expect(shown(selectTree(full.snapshot(), { ...ALL, ...selection }))).toEqual(expected);
  });

  test('a directory that holds something left out is left out too, since it could not be removed', () => {
    expect(shown(selectTree(store('d/x', 'd/y').snapshot(), { ...ALL, exclude: ['d/y'] }))).toEqual(['d/x']);
  });

  test.each([[{ mailbox: '\\Sent' }], [{ exclude: ['\\Sent'] }]])(
    '%p is refused rather than selecting nothing',
    (selection) => {
      expect(() => selectTree(store('Sent').snapshot(), { ...ALL, ...selection })).toThrow(
        expect.objectContaining({ code: 'Usage', message: expect.stringContaining('\\Sent') }),
      );
    },
  );
});

describe('a mailbox renamed on one side from the selected name', () => {
  function renamed(): { a: StrictStore; b: StrictStore } {
    const a = store('foo');
    const b = store('foo');
    b.rename(['foo'], ['bar'], 9);
    return { a, b };
  }
  const selection: Selection = { ...ALL, mailbox: 'foo' };

  test('is renamed, not made a second time, when both ends select from both trees', () => {
    const { a, b } = renamed();
    const trees = selectTrees({ local: a.snapshot(), remote: b.snapshot() }, selection);
    const plan = planTree(trees.local, trees.remote, TWO_WAY);
    a.apply(plan.local);
    b.apply(plan.remote);
    expect(a.picture()).toEqual(['bar=c0']);
    expect(b.picture()).toEqual(['bar=c0']);
  });

  test('is not made a second time when an end has only the selected part of the other', () => {
    const { a, b } = renamed();
    const remote = selectTree(a.snapshot(), selection);
    const local = selectTree(b.snapshot(), selection, guidsOf(remote));
    const plan = planTree(local, remote, TWO_WAY);
    expect(plan.local).toEqual([]);
    expect(plan.mailboxes.map((m) => m.guid)).toEqual([guid('c0')]);
  });

  test('is renamed by an end that is told of it', () => {
    const { a, b } = renamed();
    const remote = selectTree(a.snapshot(), selection);
    const local = selectTree(b.snapshot(), selection, guidsOf(remote));
    a.apply(planTree(remote, inNamespaces(local, selection), TWO_WAY).local);
    expect(a.picture()).toEqual(['bar=c0']);
  });

  test.each([
    ['two-way', [], [guid('c0')]],
    ['backup', ['delete'], []],
  ] as const)('%s: an end that is not told of it does not rename it', (mode, does, both) => {
    const { a, b } = renamed();
    const within: Selection = { ...ALL, namespaces: ['foo'] };
    const remote = selectTree(a.snapshot(), within);
    const local = selectTree(b.snapshot(), within, guidsOf(remote));
    const plan = planFor(local, inNamespaces(local, within), remote, { ...TWO_WAY, mode });
    expect(plan.remote.map(({ op }) => op)).toEqual(does);
    expect(plan.mailboxes.map((m) => m.guid)).toEqual(both);
  });

  test('to an excluded name is not deleted by a backup', () => {
    const { a, b } = renamed();
    const trees = selectTrees({ local: b.snapshot(), remote: a.snapshot() }, { ...ALL, exclude: ['bar'] });
    const plan = planTree(trees.local, trees.remote, { ...TWO_WAY, mode: 'backup' });
    a.apply(plan.remote);
    expect(a.guids()).toContain(guid('c0'));
  });
});

describe('-n with a Dovecot', () => {
  const plain = { separator: '.' };
  const told = (...names: readonly string[]): TreeSnapshot => store(...names).snapshot();
  const within = (...namespaces: readonly string[]): Selection => ({ ...ALL, namespaces });

  test('a store of ours without namespaces has it by name, with its own separator', () => {
    expect(selectionFor(plain, within('Archive/'), told('Archive/2020')).namespaces).toEqual(['Archive.']);
  });

  test.each([
    ['a mailbox', ['Archive/2020', 'Work']],
    ['INBOX', ['INBOX']],
  ])('%s outside shows that the Dovecot lacks it', (_, names) => {
    expect(() => selectionFor(plain, within('Archive/'), told(...names))).toThrow(
      "Namespace not found on the other side: 'Archive/'",
    );
  });

  test.each([
    ['by its name', within('INBOX/'), plain],
    ['as our settings say', within('Mail/'), { ...plain, inboxNamespace: 'Mail/', namespacePrefixes: ['Mail/'] }],
  ])('INBOX belongs to its namespace, %s', (_, given, ours) => {
    const selection = selectionFor(ours, given, told('INBOX'));
    expect(shown(inNamespaces(told('INBOX', 'Other'), selection))).toEqual(['INBOX']);
  });
});
