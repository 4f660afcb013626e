/** Random stories on stores in memory; DSYNC_RUNS multiplies their number. */
import { test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import { Clock, memoryPlaces } from '../support/side.ts';
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

const RUNS = Number(process.env['DSYNC_RUNS'] ?? 1);
let promised = 0;
let begun = 0;
const runs = (n: number): { readonly numRuns: number } => {
  const numRuns = Math.max(1, Math.round(n * RUNS));
  promised += numRuns;
  return { numRuns };
};
const TIMEOUT_MS = 120_000 * Math.max(1, RUNS);

async function tell(story: Story): Promise<Awaited<ReturnType<typeof begin>>> {
  const clock = new Clock();
  begun += 1;
  return await begin(story, clock, memoryPlaces(clock));
}

describe('two-way syncs', () => {
  for (const forget of [false, true]) {
    property.prop([stories(['sync'], { forget })], runs(forget ? 400 : 900))(
      `make both sides equal, lose and double nothing, and leave nothing to do${forget ? ', also when a side loses its history' : ''}`,
      async (story) => {
        const told = await tell(story);
        for (const { acts, algorithm, start } of story.chapters) {
          await act(told, acts);
          let result = await run(told, start, 'sync', algorithm);
          // A history that is gone makes the state worthless; the run says so, and the next one has none.
          if (forget && result.exit === 2 && result.state === '') result = await run(told, start, 'sync', algorithm);
          expect({ exit: result.exit, error: result.error }).toEqual({ exit: 0, error: null });
          const [a, b] = [await see(told, 'A'), await see(told, 'B')];
          expect(comparable(a)).toEqual(comparable(b));
          expectNothingLostNorDoubled(told, a);
        }
        for (const [start, algorithm] of [
          ['A', 'changed'],
          ['B', 'full'],
          ['A', 'state'],
          ['B', 'state'],
        ] as const) {
          const again = await run(told, start, 'sync', algorithm);
          expect(again.error).toBeNull();
          expectNothingDone(again.report);
        }
      },
      TIMEOUT_MS,
    );
  }

  property.prop([stories(['sync'], { chapters: 2 })], runs(200))(
    'end the same whichever side starts, flags apart',
    async (story) => {
      const ends: unknown[] = [];
      for (const swap of [false, true]) {
        const told = await tell(story);
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

describe('one-sided runs', () => {
  property.prop([stories(['backup', 'backup -R'])], runs(400))(
    'backup makes the destination equal, leaves the source alone, and then has nothing to do',
    async (story) => {
      const told = await tell(story);
      for (const { acts, algorithm, start, command } of story.chapters) {
        await act(told, acts);
        const source = sourceOf(command, start);
        const before = await see(told, source);
        const result = await run(told, start, command, algorithm);
        expect({ exit: result.exit, error: result.error }).toEqual({ exit: 0, error: null });
        expect(await see(told, source)).toEqual(before);
        expect(equalOfBackup(await see(told, other(source)))).toEqual(equalOfBackup(before));
        const again = await run(told, start, command, algorithm);
        expect(again.error).toBeNull();
        expectNothingDone(again.report);
      }
    },
    TIMEOUT_MS,
  );

  property.prop([stories(['sync -1', 'sync -1 -R', 'sync'])], runs(400))(
    'one-way runs never change the source, lose and double nothing, and then have nothing to do',
    async (story) => {
      const told = await tell(story);
      for (const { acts, algorithm, start, command } of story.chapters) {
        await act(told, acts);
        const source = sourceOf(command, start);
        const before = await see(told, source);
        const result = await run(told, start, command, algorithm);
        expect({ exit: result.exit, error: result.error }).toEqual({ exit: 0, error: null });
        if (command === 'sync') {
          expect(comparable(await see(told, 'A'))).toEqual(comparable(await see(told, 'B')));
        } else {
          expect(await see(told, source)).toEqual(before);
        }
        expectNothingLostNorDoubled(told, mergedView(await see(told, 'A'), await see(told, 'B')));
        const again = await run(told, start, command, algorithm);
        expect(again.error).toBeNull();
        expectNothingDone(again.report);
      }
    },
    TIMEOUT_MS,
  );
});

// A property that runs out of time ends as if it had passed.
test('all stories were told to the end', () => {
  expect(begun).toBeGreaterThanOrEqual(promised);
});

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
  const only = Object.entries(b.mailboxes).map(([name, box]) => [
    `only B: ${name}`,
    { ...box, messages: box.messages.filter((m) => !known.has(m.guid)) },
  ]);
  return { ...a, mailboxes: { ...a.mailboxes, ...Object.fromEntries(only) } };
}
