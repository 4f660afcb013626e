/**
 * The defects of the original that can lose mail, leave a wrong result, or stop short of one: for each the outcome here.
 * Numbers are those of the list in docs/departures.md. Every story ends with both sides equal and nothing left to do.
 */
import { describe, expect, test } from '@jest/globals';

import { expectFine } from '../support/expect-fine.ts';
import type { ScenarioMail, ScenarioMailbox, UserStep } from '../support/scenario.ts';
import { Clock, memoryPlaces, Side } from '../support/side.ts';
import type { SideSeen } from '../support/read-side.ts';
import { runHere } from './play.ts';

type Deed = Omit<UserStep, 'side'>;

class Story {
  readonly pair: { readonly A: Side; readonly B: Side };
  readonly #clock: Clock;

  private constructor(pair: Story['pair'], clock: Clock) {
    this.pair = pair;
    this.#clock = clock;
  }

  static async begin(
    mailboxes: Readonly<Record<string, ScenarioMailbox>>,
    other = mailboxes,
    layout?: 'fs',
  ): Promise<Story> {
    const clock = new Clock();
    const make = (name: string): Promise<Side> =>
      Side.make(name, layout === undefined ? {} : { layout }, false, memoryPlaces(clock));
    const pair = { A: await make('A'), B: await make('B') };
    await pair.A.place({ mailboxes, subscriptions: [] });
    await pair.B.place({ mailboxes: other, subscriptions: [] });
    clock.tick();
    return new Story(pair, clock);
  }

  async on(side: 'A' | 'B', ...deeds: readonly Deed[]): Promise<this> {
    for (const deed of deeds) await this.pair[side].act({ ...deed, side });
    this.#clock.tick();
    return this;
  }

  async run(words = '', command: 'sync' | 'backup' = 'sync', start: 'A' | 'B' = 'A'): Promise<string | null> {
    const list = words === '' ? [] : words.split(' ').map((word) => (word === "''" ? '' : word));
    const result = await runHere('native')(this.pair, { start, command, words: list, during: null });
    expectFine(result);
    return result.state;
  }

  see(side: 'A' | 'B'): Promise<SideSeen> {
    return this.pair[side].read();
  }

  /** Both sides are equal, and another full run changes neither. */
  async ends(expected: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const [a, b] = [await this.see('A'), await this.see('B')];
    await this.run('-f');
    expectSame(expected, a, b, await this.see('A'), await this.see('B'));
  }
}

/** All of them are the same, and have these mails. */
function expectSame(expected: Readonly<Record<string, readonly string[]>>, ...[first, ...others]: SideSeen[]): void {
  expect(first && contents(first)).toEqual(expected);
  for (const other of others) expect(other).toEqual(first);
}

/** `UID=MAIL FLAGS…` by mailbox. */
function contents(seen: SideSeen): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(seen.mailboxes).map(([name, box]) => [
      name,
      box.messages.map((m) => [`${m.uid}=${m.guid}`, ...m.flags, ...m.keywords].join(' ')),
    ]),
  );
}

let guids = 0x100;
const box = (messages: readonly ScenarioMail[], numbers: Partial<ScenarioMailbox> = {}): ScenarioMailbox => ({
  guid: (guids++).toString(16).padStart(32, '0'),
  uidvalidity: 1000,
  messages,
  ...numbers,
});
const mails = (...labels: readonly string[]): readonly ScenarioMail[] =>
  labels.map((guid, index) => ({ uid: index + 1, guid }));
const hex = (text: string): string => text.padStart(32, '0');

describe('data loss or wrong result', () => {
  test('1: a mail that one side never had is not taken for expunged', async () => {
    const [foo] = [box(mails('m1', 'm2', 'm3'))];
    const story = await Story.begin({ foo }, { foo: { ...foo, messages: foo.messages.filter((m) => m.uid !== 2) } });
    await story.run();
    await story.ends({ foo: ['1=m1', '3=m3', '4=m2'] });
  });

  test('1: a side that has lost its history, and mails with it, gets them back', async () => {
    const story = await Story.begin({ foo: box(mails('m1', 'm2', 'm3')) });
    await story.on('B', { op: 'expunge', mailbox: 'foo', uid: 1 }, { op: 'expunge', mailbox: 'foo', uid: 2 });
    await story.on('B', { op: 'lose_history', mailbox: 'foo' });
    await story.run('-f');
    await story.ends({ foo: ['3=m3', '4=m1', '5=m2'] });
  });

  test('1: an expunge that was recorded is one', async () => {
    const story = await Story.begin({ foo: box(mails('m1', 'm2', 'm3')) });
    await story.on('B', { op: 'expunge', mailbox: 'foo', uid: 1 }, { op: 'expunge', mailbox: 'foo', uid: 3 });
    await story.run('-f');
    await story.ends({ foo: ['2=m2'] });
  });

  test('2: mails that a filter left out are neither expunged nor forgotten', async () => {
    const old = [
      { uid: 1, guid: 'old', date: 1_000_000_000 },
      { uid: 2, guid: 'new' },
    ];
    const foo = box(old);
    const story = await Story.begin({ foo }, { foo: { ...foo, messages: [] } });
    await story.run('-t 2020-01-01');
    await story.run('-t 2020-01-01');
    expect(contents(await story.see('A'))).toEqual({ foo: ['1=old', '2=new'] });
    await story.run();
    await story.ends({ foo: ['2=new', '3=old'] });
  });

  test('2: what a filter left out of a backup comes with the next one without the filter', async () => {
    const foo = box([
      { uid: 1, guid: 'large', size: 5000 },
      { uid: 2, guid: 'small' },
    ]);
    const story = await Story.begin({ foo }, { foo: { ...foo, messages: [] } });
    await story.run('-I 1k', 'backup');
    expect(contents(await story.see('B'))).toEqual({ foo: ['2=small'] });
    await story.run('', 'backup');
    await story.ends({ foo: ['1=large', '2=small'] });
  });

  test('3: a backup repairs an INBOX that cannot be deleted, in one run', async () => {
    const story = await Story.begin({ INBOX: box(mails('m1', 'm2', 'm3')) });
    await story.on('B', { op: 'expunge', mailbox: 'INBOX', uid: 2 });
    await story.run('', 'backup');
    await story.ends({ INBOX: ['1=m1', '2=m2', '3=m3'] });
  });

  test('4: a backup that needs a mail back repairs that mailbox and does the others too, in one run', async () => {
    const story = await Story.begin({ a: box(mails('a1', 'a2')), b: box(mails('b1')), c: box(mails('c1')) });
    await story.on('B', { op: 'expunge', mailbox: 'a', uid: 1 });
    await story.on('A', { op: 'append', mailbox: 'b', guid: 'b2' }, { op: 'append', mailbox: 'c', guid: 'c2' });
    await story.run('', 'backup');
    await story.ends({ a: ['1=a1', '2=a2'], b: ['1=b1', '2=b2'], c: ['1=c1', '2=c2'] });
  });

  test('5: mails of a deleted mailbox do not come back when its name is used again', async () => {
    const story = await Story.begin({ foo: box(mails('old')) });
    await story.on('A', { op: 'delete', mailbox: 'foo' });
    await story.on(
      'A',
      { op: 'create', mailbox: 'foo', guid: hex('c9'), uidvalidity: 3 },
      { op: 'append', mailbox: 'foo', guid: 'new' },
    );
    await story.run();
    await story.ends({ foo: ['1=new'] });
  });

  test('7: -m on a mailbox that one side has renamed makes no second one', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on('B', { op: 'rename', mailbox: 'foo', to: 'bar' });
    await story.on('A', { op: 'append', mailbox: 'foo', guid: 'm2' });
    await story.run('-m foo');
    await story.run();
    await story.ends({ bar: ['1=m1', '2=m2'] });
  });

  test('8: a keyword that was there from the beginning stays removed', async () => {
    const story = await Story.begin({ foo: box([{ uid: 1, guid: 'm1', keywords: ['kw1'] }]) });
    await story.on('A', { op: 'flags_remove', mailbox: 'foo', uid: 1, flags: ['kw1'] });
    await story.on(
      'B',
      { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['kw2'] },
      { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['\\Seen'] },
    );
    await story.run();
    await story.ends({ foo: ['1=m1 \\Seen kw2'] });
  });
});

describe('not converging, or silently incomplete', () => {
  test('9: equally many changes on both sides are found without -f', async () => {
    const story = await Story.begin({ foo: box(mails('m1', 'm2')) });
    await story.on(
      'A',
      { op: 'append', mailbox: 'foo', guid: 'x' },
      { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['\\Seen'] },
    );
    await story.on(
      'B',
      { op: 'append', mailbox: 'foo', guid: 'y' },
      { op: 'flags_add', mailbox: 'foo', uid: 2, flags: ['\\Seen'] },
    );
    await story.run();
    await story.ends({ foo: ['1=m1 \\Seen', '2=m2 \\Seen', '4=x', '5=y'] });
  });

  for (const [words, command, start] of [
    ['', 'sync', 'A'],
    ['-1 -R', 'sync', 'A'],
    ['-R', 'backup', 'A'],
  ] as const) {
    test(`10: a state finds what changed on the other side alone (${command} ${words})`, async () => {
      const story = await Story.begin({ foo: box(mails('m1')) });
      const state = await story.run("-f -s ''");
      await story.on(
        'B',
        { op: 'append', mailbox: 'foo', guid: 'm2' },
        { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['\\Seen'] },
      );
      await story.run(`${words} -s ${state ?? ''}`.trim(), command, start);
      await story.ends({ foo: ['1=m1 \\Seen', '2=m2'] });
    });
  }

  test('11: flags of a mail that had different UIDs are merged while it gets one', async () => {
    const foo = box([
      { uid: 1, guid: 'm1' },
      { uid: 2, guid: 'b', flags: ['\\Seen'] },
    ]);
    const other = [
      { uid: 1, guid: 'm1' },
      { uid: 4, guid: 'b', flags: ['\\Flagged'], keywords: ['kw'] },
    ];
    const story = await Story.begin({ foo }, { foo: { ...foo, messages: other } });
    await story.run();
    await story.ends({ foo: ['1=m1', '4=b \\Flagged \\Seen kw'] });
  });

  test('12: keywords that differ only in case are equal, and do not keep runs busy', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on('A', { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['Urgent', '\\Seen'] });
    await story.on('B', { op: 'flags_add', mailbox: 'foo', uid: 1, flags: ['urgent'] });
    await story.run();
    const [a, b] = [contents(await story.see('A')), contents(await story.see('B'))];
    expect(a).toEqual({ foo: ['1=m1 \\Seen Urgent'] });
    expect(b['foo']?.map((line) => line.toLowerCase())).toEqual(['1=m1 \\seen urgent']);
    await story.run('-f');
    expect([contents(await story.see('A')), contents(await story.see('B'))]).toEqual([a, b]);
  });

  test('13: with -1 a mailbox that the destination has renamed gets its mail, and the source stays as it is', async () => {
    const foo = box(mails('m1'), { uidvalidity: 1 });
    const story = await Story.begin({ foo }, { foo: { ...foo, uidvalidity: 2, messages: mails('m1', 'extra') } });
    await story.on('B', { op: 'rename', mailbox: 'foo', to: 'bar' });
    await story.on('A', { op: 'append', mailbox: 'foo', guid: 'm2' });
    const before = await story.see('A');
    await story.run('-1');
    expect(await story.see('A')).toEqual(before);
    const after = await story.see('B');
    expect(contents(after)).toEqual({ bar: ['1=m1', '3=extra', '4=m2'] });
    await story.run('-1');
    expect(await story.see('B')).toEqual(after);
  });

  test('14: a name that two unrelated mailboxes want is the same on both sides after one run', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on(
      'B',
      { op: 'create', mailbox: 'bar', guid: hex('c5'), uidvalidity: 5 },
      { op: 'append', mailbox: 'bar', guid: 'b1' },
    );
    await story.on('A', { op: 'rename', mailbox: 'foo', to: 'bar' });
    await story.run();
    const [a, b] = [await story.see('A'), await story.see('B')];
    expect(a).toEqual(b);
    expect(contents(a)['bar']).toEqual(['1=m1']);
    expect(Object.values(contents(a)).flat().toSorted()).toEqual(['1=b1', '1=m1']);
    await story.ends(contents(a));
  });

  test('15: an extra empty directory does not stay in the destination of a backup', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) }, undefined, 'fs');
    await story.on('B', { op: 'create', mailbox: 'dir/below', dir: true });
    await story.run('', 'backup');
    await story.ends({ foo: ['1=m1'] });
    expect((await story.see('B')).directories).toEqual([]);
  });

  test('16: a backup takes over the metadata of the source, and no other stays', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on('A', { op: 'attr_set', mailbox: 'foo', key: '/private/comment', value: 'aaa' });
    await story.on(
      'B',
      { op: 'attr_set', mailbox: 'foo', key: '/private/comment', value: 'zzz' },
      { op: 'attr_set', mailbox: 'foo', key: '/shared/comment', value: 'extra' },
    );
    await story.run('', 'backup');
    expect((await story.see('B')).mailboxes['foo']?.attributes).toEqual({ '/private/comment': 'aaa' });
    await story.ends({ foo: ['1=m1'] });
  });

  test('17: a subscription stays with its name when the mailbox is renamed', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on('A', { op: 'subscribe', mailbox: 'foo' });
    await story.run();
    await story.on('A', { op: 'rename', mailbox: 'foo', to: 'bar' });
    await story.run();
    await story.ends({ bar: ['1=m1'] });
    expect((await story.see('B')).subscriptions).toEqual(['foo']);
  });

  test('17: a selection by special use, which no store here can tell, is refused rather than empty', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    const result = await runHere('native')(story.pair, {
      start: 'A',
      command: 'sync',
      words: ['-m', '\\Sent'],
      during: null,
    });
    expect(result.exit).toBe(64);
  });

  test('18: a mailbox created later than another was renamed keeps its name', async () => {
    const story = await Story.begin({ foo: box(mails('m1')) });
    await story.on('A', { op: 'rename', mailbox: 'foo', to: 'bar' });
    await story.on(
      'B',
      { op: 'create', mailbox: 'bar', guid: hex('c7'), uidvalidity: 7 },
      { op: 'append', mailbox: 'bar', guid: 'b1' },
    );
    await story.run();
    const seen = contents(await story.see('A'));
    expect(seen['bar']).toEqual(['1=b1']);
    await story.ends(seen);
  });

  test('19: mailboxes of one name that both sides made become one, with all mails of both', async () => {
    const story = await Story.begin({});
    await story.on(
      'A',
      { op: 'create', mailbox: 'foo', guid: hex('d1'), uidvalidity: 1 },
      { op: 'append', mailbox: 'foo', guid: 'a1' },
    );
    await story.on(
      'B',
      { op: 'create', mailbox: 'foo', guid: hex('d2'), uidvalidity: 2 },
      { op: 'append', mailbox: 'foo', guid: 'b1' },
    );
    await story.run();
    await story.ends({ foo: ['2=a1', '3=b1'] });
  });
});
