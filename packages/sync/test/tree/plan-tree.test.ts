/** Outcomes that the recorded scenarios do not have, because they are better than recorded or rarer. */
import { expect, test } from '@jest/globals';

import { planTree, type TreeMergeContext } from '@dsync/sync';
import { guid, StrictStore } from './strict-store.ts';

type Side = { readonly a: StrictStore; readonly b: StrictStore };

interface Case {
  readonly title: string;
  /** `name=guid` on both sides; a trailing slash: a directory. */
  readonly both: readonly string[];
  readonly change: (side: Side) => void;
  readonly mode?: TreeMergeContext['mode'];
  readonly a: readonly string[];
  readonly b?: readonly string[];
}

const TEMP = (g: string): string => `-temp-${guid(g)}`;

const CASES: readonly Case[] = [
  {
    title: 'deleted and made anew on one side: the deletion counts, the new one is new',
    both: ['foo=b0'],
    change: ({ a }) => {
      a.delete(['foo'], guid('b0'), 5);
      a.create(['foo'], guid('c9'), 6);
    },
    a: ['foo=c9'],
  },
  {
    title: 'the child deleted here, the parent renamed there',
    both: ['foo=b0', 'foo/sub=b1'],
    change: ({ a, b }) => {
      a.delete(['foo', 'sub'], guid('b1'), 5);
      b.rename(['foo'], ['bar'], 6);
    },
    a: ['bar=b0'],
  },
  {
    title: 'a child made below a parent that was renamed on the other side goes along',
    both: ['foo=b0'],
    change: ({ a, b }) => {
      a.rename(['foo'], ['bar'], 5);
      b.create(['foo', 'new'], guid('c1'), 6);
    },
    a: ['bar=b0', 'bar/new=c1'],
  },
  {
    title: 'swapped on one side',
    both: ['foo=b0', 'bar=b1', 'foo/k=b2'],
    change: ({ b }) => {
      b.rename(['foo'], ['t'], 5);
      b.rename(['bar'], ['foo'], 5);
      b.rename(['t'], ['bar'], 5);
    },
    a: ['bar=b0', 'bar/k=b2', 'foo=b1'],
  },
  {
    title: 'each moved below the other: the newer move counts',
    both: ['x=b0', 'y=b1'],
    change: ({ a, b }) => {
      a.rename(['x'], ['y', 'x'], 5);
      b.rename(['y'], ['x', 'y'], 6);
    },
    a: ['x=b0', 'x/y=b1'],
  },
  {
    title: 'crossing moves are taken back to where the mailbox was, not to the top',
    both: ['p/x=b0', 'y=b1'],
    change: ({ a, b }) => {
      a.rename(['p', 'x'], ['y', 'x'], 5);
      b.rename(['y'], ['p', 'x', 'y'], 6);
    },
    a: ['p/', 'p/x=b0', 'p/x/y=b1'],
  },
  {
    title: 'renamed to a name that the other side gave to a newer mailbox: the older gives way, alike on both sides',
    both: ['foo=b0'],
    change: ({ a, b }) => {
      a.rename(['foo'], ['bar'], 5);
      b.create(['bar'], guid('c1'), 6);
    },
    a: ['bar=c1', `bar${TEMP('b0')}=b0`],
  },
  {
    title: 'the same with the rename newer',
    both: ['foo=b0'],
    change: ({ a, b }) => {
      a.rename(['foo'], ['bar'], 7);
      b.create(['bar'], guid('c1'), 6);
    },
    a: ['bar=b0', `bar${TEMP('c1')}=c1`],
  },
  {
    title: 'subscriptions stay with the name when a mailbox is renamed',
    both: ['foo=b0'],
    change: ({ a, b }) => {
      for (const store of [a, b]) store.subscribe(['foo'], true, 1);
      a.rename(['foo'], ['bar'], 5);
    },
    a: ['bar=b0', '*foo'],
  },
  {
    title: 'an unsubscription that only a record tells of',
    both: ['foo=b0'],
    change: ({ a, b }) => {
      for (const store of [a, b]) store.subscribe(['gone'], true, 1);
      a.subscribe(['gone'], false, 5);
    },
    a: ['foo=b0'],
  },
  {
    title: 'INBOX renamed there, which a merge never does: INBOX stays, the other mailbox is kept',
    both: [],
    change: ({ a, b }) => {
      a.create(['INBOX'], guid('a1'));
      b.create(['foo'], guid('a1'));
      b.create(['INBOX'], guid('a2'));
    },
    a: ['INBOX=a2', 'foo=a1'],
  },
  {
    title: 'two INBOXes whose GUIDs other mailboxes have crosswise',
    both: [],
    change: ({ a, b }) => {
      a.create(['INBOX'], guid('a1'));
      a.create(['foo'], guid('a2'));
      b.create(['INBOX'], guid('a2'));
      b.create(['foo'], guid('a1'));
    },
    mode: 'backup',
    a: ['INBOX=a1', 'foo=a2'],
  },
  {
    title: 'backup removes an empty directory that only the destination has',
    both: ['foo=b0'],
    change: ({ b }) => b.createDirectory(['dir']),
    mode: 'backup',
    a: ['foo=b0'],
  },
  {
    title: 'one-way: a mailbox renamed in the destination keeps its name there',
    both: ['foo=b0'],
    change: ({ b }) => b.rename(['foo'], ['bar'], 5),
    mode: 'one-way',
    a: ['foo=b0'],
    b: ['bar=b0'],
  },
  {
    title: 'a directory that was renamed does not stay under its old name on the other side',
    both: ['d/x=b0'],
    change: ({ a }) => a.rename(['d'], ['e'], 5),
    a: ['e/', 'e/x=b0'],
  },
  {
    title: 'a directory removed here stays if the other side has put something into it',
    both: ['d/'],
    change: ({ a, b }) => {
      a.deleteDirectory(['d'], 5);
      b.create(['d', 'x'], guid('c1'), 4);
    },
    a: ['d/', 'd/x=c1'],
  },
];

test.each(CASES)('$title', ({ both, change, mode = 'two-way', a: expectedA, b: expectedB = expectedA }) => {
  for (const swapped of [false, true]) {
    const a = new StrictStore({ directories: true });
    const b = new StrictStore({ directories: true });
    for (const store of [a, b]) {
      for (const line of both) {
        const [name = '', g] = line.split('=');
        if (g === undefined) store.createDirectory(name.split('/').filter(Boolean));
        else store.create(name.split('/'), guid(g));
      }
    }
    change({ a, b });
    const [local, remote] = swapped ? [b, a] : [a, b];
    const plan = planTree(local.snapshot(), remote.snapshot(), {
      mode,
      source: swapped ? 'remote' : 'local',
      altChar: '_',
    });
    local.apply(plan.local);
    remote.apply(plan.remote);
    expect(a.picture()).toEqual(expectedA);
    expect(b.picture()).toEqual(expectedB);
  }
});

test('a mailbox renamed in the destination of a one-way run is paired by its GUID', () => {
  const a = new StrictStore();
  const b = new StrictStore();
  a.create(['foo'], guid('b0'));
  b.create(['bar'], guid('b0'));
  const [pair] = planTree(a.snapshot(), b.snapshot(), { mode: 'one-way', source: 'local', altChar: '_' }).mailboxes;
  expect(pair).toMatchObject({ guid: guid('b0'), localPath: ['foo'], remotePath: ['bar'] });
});

test.each(['name', 'GUID'])('a tree with the same %s twice is refused', (what) => {
  const a = new StrictStore();
  a.create(['foo'], guid('b0'));
  const tree = a.snapshot();
  const twice = tree.nodes.map((node) => (what === 'name' ? node : { ...node, path: ['bar'] }));
  const bad = { ...tree, nodes: [...tree.nodes, ...twice] };
  expect(() => planTree(tree, bad, { mode: 'two-way', source: 'local', altChar: '_' })).toThrow(
    expect.objectContaining({ code: 'BadPeerData' }),
  );
});

test('ten thousand mailboxes that were all renamed are planned one by one', () => {
  const a = new StrictStore();
  const b = new StrictStore();
  for (let i = 0; i < 10_000; i++) {
    a.entries.set(`m${i}`, { path: [`m${i}`], guid: guid(`b${i}`) });
    b.entries.set(`m${i + 1}`, { path: [`m${i + 1}`], guid: guid(`b${i}`) });
  }
  const plan = planTree(a.snapshot(), b.snapshot(), { mode: 'backup', source: 'local', altChar: '_' });
  expect(plan.local).toEqual([]);
  // One more for each chain that is longer than is followed at once.
  expect(plan.remote.length).toBeLessThan(20_000);
});
