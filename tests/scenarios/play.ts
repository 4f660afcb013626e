/** Plays a recorded scenario and compares how it ends. */
import type { AskedRun } from '../support/options.ts';
import { readOptions } from '../support/options.ts';
import type { SideSeen } from '../support/read-side.ts';
import type { During, Scenario, ScenarioState, SideName } from '../support/scenario.ts';
import { Clock, type MakePlace, Side } from '../support/side.ts';
import type { RunResult } from '../support/run-sync.ts';
import { runSync } from '../support/run-sync.ts';
import { pointOf, watchChannel } from '../support/watch-channel.ts';

/** What is compared of a side. */
export interface SideEnd {
  readonly mailboxes: Readonly<Record<string, unknown>>;
  readonly subscriptions: readonly string[];
  readonly directories: readonly string[];
}

export interface Outcome {
  /** For each run its status, and with `-s` whether a state was printed: `0`, `0 state`, `2 empty`. */
  readonly runs: readonly string[];
  readonly A: SideEnd;
  readonly B: SideEnd;
}

export interface Pair {
  readonly A: Side;
  readonly B: Side;
}

/** Does one run from `start` to the other side. */
export type Runner = (pair: Pair, start: SideName, asked: AskedRun, during: During | null) => Promise<RunResult>;

export interface World {
  readonly clock: Clock;
  readonly makePlace: MakePlace;
  readonly run: Runner;
}

export async function play(scenario: Scenario, world: World): Promise<Outcome & { readonly errors: readonly unknown[] }> {
  const inboxDeletable = !scenario.confirmed.includes('maildir');
  const make = (name: SideName): Promise<Side> => Side.make(name, scenario.config?.[name] ?? {}, inboxDeletable, world.makePlace);
  const pair: Pair = { A: await make('A'), B: await make('B') };
  for (const name of ['A', 'B'] as const) {
    const state = scenario.initial[name];
    if (state !== null) await pair[name].place(state);
  }
  world.clock.tick();
  const runs: string[] = [];
  const errors: unknown[] = [];
  let previous = '';
  const saved = new Map<string, string>();
  for (const step of scenario.steps) {
    if (step.op === 'tick') world.clock.tick();
    else if (step.op !== 'sync') await pair[step.side].act(step);
    else {
      const given = step.state_from === undefined ? previous : (saved.get(step.state_from) ?? '');
      const result = await world.run(pair, step.start, readOptions(step.command, step.options, given), step.during ?? null);
      runs.push(printRun(result.exit, result.state === null ? undefined : result.state === '' ? 'empty' : 'printed'));
      if (result.error !== null) errors.push(result.error);
      if (result.state !== null) previous = result.state;
      if (step.save_state !== undefined) saved.set(step.save_state, result.state ?? '');
    }
  }
  return { runs, A: seenEnd(await pair.A.read(), scenario.final.A), B: seenEnd(await pair.B.read(), scenario.final.B), errors };
}

/** What the recording says, in the form of `play`. */
export function recordedOutcome(scenario: Scenario): Outcome {
  return {
    runs: scenario.steps.flatMap((step) => (step.op === 'sync' ? [printRun(step.expect.exit, step.expect.state)] : [])),
    A: recordedEnd(scenario.final.A),
    B: recordedEnd(scenario.final.B),
  };
}

/** A run inside this process. */
export const runHere: Runner = async (pair, start, asked, during) => {
  const other = start === 'A' ? 'B' : 'A';
  await using near = await pair[start].open();
  await using far = await pair[other].open();
  if (during === null) return await runSync(near, far, asked);
  const action = async (): Promise<void> => {
    for (const step of during.steps) await pair[step.side].act(step);
  };
  return await runSync(near, far, asked, { wrap: (channel) => watchChannel(channel, pointOf(during.when), action) });
};

function printRun(exit: number, state: 'printed' | 'empty' | undefined): string {
  return `${exit}${state === undefined ? '' : state === 'printed' ? ' state' : ' empty'}`;
}

function recordedEnd(state: ScenarioState): SideEnd {
  const mailboxes = Object.entries(state.mailboxes).map(([name, box]) => [
    name,
    {
      guid: box.guid,
      uidvalidity: box.uidvalidity,
      uidnext: box.uidnext,
      messages: box.messages.map((mail) => ({ ...mail, flags: (mail.flags ?? []).toSorted(), keywords: (mail.keywords ?? []).toSorted() })),
      ...(box.attributes === undefined ? {} : { attributes: box.attributes }),
    },
  ]);
  return { mailboxes: Object.fromEntries(mailboxes), subscriptions: state.subscriptions.toSorted(), directories: (state.directories ?? []).toSorted() };
}

/** A side as it was found, reduced to what the recording tells of the same mailbox. */
function seenEnd(seen: SideSeen, recorded: ScenarioState): SideEnd {
  const mailboxes = Object.entries(seen.mailboxes).map(([name, box]) => {
    const model = recorded.mailboxes[name];
    const tells = (field: 'date' | 'recent'): boolean => model?.messages.some((mail) => mail[field] !== undefined) ?? false;
    return [
      name,
      {
        guid: box.guid,
        uidvalidity: box.uidvalidity,
        uidnext: box.uidnext,
        messages: box.messages.map(({ uid, guid, flags, keywords, date, recent }) => ({
          uid,
          guid,
          flags,
          keywords,
          ...(tells('date') ? { date } : {}),
          ...(tells('recent') ? { recent } : {}),
        })),
        ...(model?.attributes === undefined ? {} : { attributes: box.attributes }),
      },
    ];
  });
  return { mailboxes: Object.fromEntries(mailboxes), subscriptions: seen.subscriptions, directories: seen.directories };
}
