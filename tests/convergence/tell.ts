/** Tells a story on two sides and judges what each sync makes of it. */
import { createHash } from 'node:crypto';

import { expect } from '@jest/globals';
import type { MailStore } from '@dsync/storage';
import type { SyncReport } from '@dsync/sync';
import { fc } from '@fast-check/jest';

import { guidOf } from '../support/mails.ts';
import { readOptions } from '../support/options.ts';
import type { SideSeen } from '../support/read-side.ts';
import { type RunResult, runSync } from '../support/run-sync.ts';
import type { Clock, MakePlace, Place } from '../support/side.ts';
import { readSide } from '../support/read-side.ts';
import { mailboxGuid } from '@dsync/protocol';
import { acts, type Act, type DeedOptions, Ledger, perform, shelfOf, type SideName } from './story.ts';

/** The words of a run that say which way it goes. */
export type Command = 'sync' | 'sync -1' | 'sync -1 -R' | 'backup' | 'backup -R';

/** `-f`, nothing, or `-s`. */
export type Algorithm = 'changed' | 'full' | 'state';

/** What happens, and the run that follows. */
export interface Chapter {
  readonly acts: readonly Act[];
  readonly command: Command;
  readonly algorithm: Algorithm;
  readonly start: SideName;
}

/** All that happens to two sides. */
export interface Story {
  readonly layout: 'fs' | 'maildir++';
  /** INBOX is there from the beginning, the same on both sides. */
  readonly sameInbox: boolean;
  readonly chapters: readonly Chapter[];
}

/** Random stories whose runs are among these commands. */
export const stories = (
  commands: readonly Command[],
  options: DeedOptions & { readonly chapters?: number } = {},
): fc.Arbitrary<Story> =>
  fc.record({
    layout: fc.constantFrom('fs', 'maildir++'),
    sameInbox: fc.boolean(),
    chapters: fc.array(
      fc.record({
        acts: acts(options),
        command: fc.constantFrom(...commands),
        algorithm: fc.constantFrom<Algorithm>('changed', 'changed', 'full', 'state'),
        start: fc.constantFrom<SideName>('A', 'B'),
      }),
      { minLength: 1, maxLength: options.chapters ?? 4 },
    ),
  });

interface Told {
  readonly clock: Clock;
  readonly places: Readonly<Record<SideName, Place>>;
  readonly ledger: Ledger;
  /** The state of the last run that each side started. */
  readonly states: Map<SideName, string>;
}

/** Makes both sides, with an empty INBOX each. */
export async function begin(
  story: Pick<Story, 'layout' | 'sameInbox'>,
  clock: Clock,
  makePlace: MakePlace,
): Promise<Told> {
  const options = { separator: '/', layout: story.layout, inboxDeletable: false } as const;
  const places = { A: await makePlace('A', options), B: await makePlace('B', options) };
  for (const side of ['A', 'B'] as const) {
    const guid = story.sameInbox || side === 'A' ? 'a1' : 'a2';
    await places[side].user.place(['INBOX'], {
      guid: mailboxGuid(guid.padStart(32, '0')),
      uidValidity: 1001,
      mails: [],
    });
  }
  return { clock, places, ledger: new Ledger(), states: new Map() };
}

/** Users' part of a chapter. */
export async function act(told: Told, deeds: readonly Act[]): Promise<void> {
  for (const { side, deed } of deeds) {
    if (deed.do === 'tick') told.clock.tick();
    await using store = await told.places[side].open();
    await perform(deed, told.places[side], shelfOf(store), told.ledger);
  }
}

/** One run; the text of `-s` is kept for the next one of the same side. */
export async function run(told: Told, start: SideName, command: Command, algorithm: Algorithm): Promise<RunResult> {
  const [word, ...rest] = command.split(' ');
  const words = [
    ...rest,
    ...(algorithm === 'full' ? ['-f'] : []),
    ...(algorithm === 'state' ? ['-s', told.states.get(start) ?? ''] : []),
  ];
  await using near = await told.places[start].open();
  await using far = await told.places[other(start)].open();
  await told.ledger.beforeSync(shelfOf(near));
  await told.ledger.beforeSync(shelfOf(far));
  if (word === 'backup') {
    const [from, to] = command.includes('-R') ? [far, near] : [near, far];
    told.ledger.beforeBackup(await readSide(from), await readSide(to));
  }
  const result = await runSync(near, far, readOptions(word === 'backup' ? 'backup' : 'sync', words));
  if (result.state !== null) told.states.set(start, result.state);
  return result;
}

/** A side as a reader finds it, bodies by a digest. */
export async function see(told: Told, side: SideName): Promise<SideSeen> {
  await using store: MailStore = await told.places[side].open();
  return await readSide(store, (body) => createHash('sha256').update(body).digest('base64url').slice(0, 12));
}

/** The side across. */
export const other = (side: SideName): SideName => (side === 'A' ? 'B' : 'A');

/** The side whose mail is the model in a one-sided run. */
export const sourceOf = (command: Command, start: SideName): SideName =>
  command.includes('-R') ? other(start) : start;

/** A run found nothing to do; unless it may, it saw that without looking at any mails. */
export function expectNothingDone(report: SyncReport | null, { mayLook }: { readonly mayLook: boolean }): void {
  if (!mayLook) expect(report?.mailboxes.map(({ path }) => path)).toEqual([]);
  expect(report?.unexpected).toEqual([]);
  const done = Object.entries({ ...prefixed('local', report?.local), ...prefixed('remote', report?.remote) }).filter(
    ([, n]) => n !== 0,
  );
  expect(done).toEqual([]);
}

const prefixed = (side: string, counts: object = {}): Record<string, unknown> =>
  Object.fromEntries(Object.entries(counts).map(([key, value]) => [`${side}.${key}`, value]));

/** No mail is gone that nobody took away; none is there more often than users made it; every mail has its own bytes. */
export function expectNothingLostNorDoubled(told: Pick<Told, 'ledger'>, seen: SideSeen): void {
  const found = new Map<string, number>();
  for (const { messages } of Object.values(seen.mailboxes)) {
    for (const { guid } of messages) found.set(guid, (found.get(guid) ?? 0) + 1);
  }
  const wrong: string[] = [];
  for (const [guid, label] of told.ledger.delivered) {
    const count = found.get(label) ?? 0;
    if (count === 0 && !told.ledger.killed.has(guid)) wrong.push(`${label} is lost`);
    const most = told.ledger.instances.get(guid) ?? 0;
    if (count > most) wrong.push(`${label} is there ${count} times, users made ${most}`);
    found.delete(label);
  }
  wrong.push(...[...found.keys()].map((label) => `${label} was never delivered (${guidOf(label)})`));
  expect(wrong).toEqual([]);
}

/**
 * A side as it is to be compared with the other: keywords are the same in any case of their letters (RFC 9051 §2.3.2), and
 * whether a mail was shown to a client is what each side's clients make of it.
 */
export const comparable = (seen: SideSeen): SideSeen => ({
  ...seen,
  mailboxes: Object.fromEntries(
    Object.entries(seen.mailboxes).map(([name, box]) => [
      name,
      {
        ...box,
        messages: box.messages.map((mail) => ({
          ...mail,
          recent: false,
          keywords: mail.keywords.map((k) => k.toLowerCase()).toSorted(),
        })),
      },
    ]),
  ),
});
