/** What has to hold of every story, wherever the mail lies. */
import { test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import { expectFine } from '../support/expect-fine.ts';
import { RUNS } from '../support/runs.ts';
import type { Clock, MakePlace } from '../support/side.ts';
import type { DeedOptions } from './story.ts';
import {
  act,
  begin,
  comparable,
  expectNothingDone,
  expectNothingLostNorDoubled,
  other,
  run,
  see,
  sourceOf,
  stories,
  type Story,
} from './tell.ts';

/** Where stories are told, and how many of each kind in CI. */
export interface ConvergenceWorld {
  readonly deeds: DeedOptions & { readonly chapters?: number };
  readonly runs: Readonly<Record<'twoWay' | 'forgetful' | 'start' | 'backup' | 'oneWay' | 'mixed', number>>;
  /** What clients were shown is told by the place of files: the sides may need some more runs to agree on that. */
  readonly recentLater?: true;
  /** Stories of two-way syncs that are told besides. */
  readonly told?: { readonly twoWay: readonly Story[]; readonly forgetful: readonly Story[] };
  /** A place for one story. */
  open(): Promise<{ readonly clock: Clock; readonly makePlace: MakePlace } & AsyncDisposable>;
}

const TIMEOUT_MS = 240_000 * Math.max(1, RUNS);

const LAST_CHAPTER: Story['chapters'][number] = { acts: [], command: 'sync', algorithm: 'changed', start: 'A' };

/** Defines the tests of one world. They fail too if fewer stories were begun than promised. */
export function testConvergence(world: ConvergenceWorld): void {
  let promised = 0;
  let begun = 0;
  const runs = (n: number, told: readonly Story[] = []): { readonly numRuns: number; readonly examples: [Story][] } => {
    const numRuns = Math.max(1, Math.round(n * RUNS)) + told.length;
    promised += numRuns;
    return { numRuns, examples: told.map((story) => [story]) };
  };
  const tell = async (story: Story): Promise<Awaited<ReturnType<typeof begin>> & AsyncDisposable> => {
    const place = await world.open();
    begun += 1;
    return {
      ...(await begin(story, place.clock, place.makePlace)),
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    };
  };

  describe('two-way syncs', () => {
    for (const forget of [false, true]) {
      property.prop(
        [stories(['sync'], { ...world.deeds, forget })],
        forget ? runs(world.runs.forgetful, world.told?.forgetful) : runs(world.runs.twoWay, world.told?.twoWay),
      )(
        `make both sides equal, lose and double nothing, and leave nothing to do${forget ? ', also when a side loses its history' : ''}`,
        async (story) => {
          await using told = await tell(story);
          for (const { acts, algorithm, start } of story.chapters) {
            await act(told, acts);
            let result = await run(told, start, 'sync', algorithm);
            // A history that is gone makes the state worthless; the run says so, and the next one has none.
            if (forget && result.exit === 2 && result.state === '') result = await run(told, start, 'sync', algorithm);
            expectFine(result);
            const [a, b] = [await see(told, 'A'), await see(told, 'B')];
            expect(comparable(a)).toEqual(comparable(b));
            expectNothingLostNorDoubled(told, a);
          }
          for (let more = 0; world.recentLater && more < 3; more += 1) {
            const { report } = await run(told, 'A', 'sync', 'changed');
            if (report?.mailboxes.length === 0) break;
          }
          for (const [start, algorithm] of [
            ['A', 'changed'],
            ['B', 'full'],
            ['A', 'state'],
            ['B', 'state'],
          ] as const) {
            const again = await run(told, start, 'sync', algorithm);
            expect(again.error).toBeNull();
            expectNothingDone(again.report, { mayLook: algorithm === 'full' });
          }
        },
        TIMEOUT_MS,
      );
    }

    property.prop([stories(['sync'], { ...world.deeds, foreign: false, chapters: 2 })], runs(world.runs.start))(
      'end the same whichever side starts, flags apart',
      async (story) => {
        const ends: unknown[] = [];
        for (const swap of [false, true]) {
          await using told = await tell(story);
          for (const { acts, start } of story.chapters) {
            await act(told, acts);
            await run(told, swap ? other(start) : start, 'sync', 'full');
          }
          ends.push(withoutFlags(await see(told, 'A')));
        }
        expect(ends[1]).toEqual(ends[0]);
      },
      TIMEOUT_MS,
    );
  });

  describe('one-sided runs', () => {
    property.prop([stories(['backup', 'backup -R'], world.deeds)], runs(world.runs.backup))(
      'backup makes the destination equal, leaves the source alone, and then has nothing to do',
      async (story) => {
        await using told = await tell(story);
        for (const { acts, algorithm, start, command } of story.chapters) {
          await act(told, acts);
          const source = sourceOf(command, start);
          const before = await see(told, source);
          expectFine(await run(told, start, command, algorithm));
          expect(await see(told, source)).toEqual(before);
          expect(equalOfBackup(await see(told, other(source)))).toEqual(equalOfBackup(before));
          const again = await run(told, start, command, algorithm);
          expect(again.error).toBeNull();
          expectNothingDone(again.report, { mayLook: algorithm === 'full' || world.recentLater === true });
        }
      },
      TIMEOUT_MS,
    );

    property.prop([stories(['sync -1', 'sync -1 -R', 'sync'], world.deeds)], runs(world.runs.oneWay))(
      'one-way runs never change the source, lose and double nothing, and then have nothing to do',
      async (story) => {
        await using told = await tell(story);
        for (const { acts, algorithm, start, command } of story.chapters) {
          await act(told, acts);
          const source = sourceOf(command, start);
          const before = await see(told, source);
          expectFine(await run(told, start, command, algorithm));
          if (command === 'sync') {
            expect(comparable(await see(told, 'A'))).toEqual(comparable(await see(told, 'B')));
          } else {
            expect(await see(told, source)).toEqual(before);
          }
          expectNothingLostNorDoubled(told, mergedView(await see(told, 'A'), await see(told, 'B')));
          const again = await run(told, start, command, algorithm);
          expect(again.error).toBeNull();
          expectNothingDone(again.report, {
            mayLook: command !== 'sync' || algorithm === 'full' || world.recentLater === true,
          });
        }
      },
      TIMEOUT_MS,
    );
  });

  describe('all kinds of runs in turn', () => {
    property.prop(
      [stories(['sync', 'backup', 'backup -R', 'sync -1', 'sync -1 -R'], { ...world.deeds, forget: true })],
      runs(world.runs.mixed),
    )(
      'do what each of them promises, with states that other kinds of runs left',
      async (story) => {
        await using told = await tell(story);
        for (const { acts, algorithm, start, command } of [...story.chapters, LAST_CHAPTER]) {
          await act(told, acts);
          const source = sourceOf(command, start);
          const before = await see(told, source);
          let result = await run(told, start, command, algorithm);
          if (result.exit === 2 && result.state === '') result = await run(told, start, command, algorithm);
          expectFine(result);
          const [a, b] = [await see(told, 'A'), await see(told, 'B')];
          if (command === 'sync') expect(comparable(a)).toEqual(comparable(b));
          else expect(source === 'A' ? a : b).toEqual(before);
          if (command.startsWith('backup')) expect(equalOfBackup(a)).toEqual(equalOfBackup(b));
          expectNothingLostNorDoubled(told, mergedView(a, b));
        }
      },
      TIMEOUT_MS,
    );
  });

  // A property that runs out of time ends as if it had passed.
  test('all stories were told to the end', () => {
    expect(begun).toBeGreaterThanOrEqual(promised);
  });
}

/** A tie between flags goes to the side that starts; nothing else may. */
function withoutFlags(seen: Awaited<ReturnType<typeof see>>): unknown {
  return Object.entries(seen.mailboxes).map(([name, box]) => [
    name,
    box.guid,
    box.uidvalidity,
    box.uidnext,
    box.messages.map(({ uid, guid, date, body }) => [uid, guid, date, body]),
  ]);
}

function equalOfBackup(seen: Awaited<ReturnType<typeof see>>): unknown {
  const mailboxes = Object.entries(comparable(seen).mailboxes).map(([name, box]) => [
    name,
    { ...box, messages: box.messages.map(({ recent: _recent, ...mail }) => mail) },
  ]);
  return { ...seen, mailboxes };
}

/** Both sides' mails without what is on both, to see what neither has. */
function mergedView(a: Awaited<ReturnType<typeof see>>, b: Awaited<ReturnType<typeof see>>): typeof a {
  const known = new Set(Object.values(a.mailboxes).flatMap((box) => box.messages.map((m) => m.guid)));
  const only = Object.entries(b.mailboxes).map(
    ([name, box]) => [`only B: ${name}`, { ...box, messages: box.messages.filter((m) => !known.has(m.guid)) }] as const,
  );
  return { ...a, mailboxes: { ...a.mailboxes, ...Object.fromEntries(only) } };
}
