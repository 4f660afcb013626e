/** Plays a recorded scenario and compares how it ends. */
import { readOptions } from '../support/options.ts';
import type { MailboxSeen, SideSeen } from '../support/read-side.ts';
import type { During, Scenario, ScenarioMail, ScenarioMailbox, ScenarioState, SideName } from '../support/scenario.ts';
import { type Clock, type MakePlace, Side, type StorySide } from '../support/side.ts';
import { runSync, type RunHooks, type RunResult } from '../support/run-sync.ts';
import { pointOf, watchChannel } from '../support/watch-channel.ts';

/** How a scenario ends, as lines that can be read and compared. */
export interface Outcome {
  /** For each run its status, and with `-s` whether a state was printed: `0`, `0 state`, `2 empty`. */
  readonly runs: readonly string[];
  /** `NAME(GUID/UIDVALIDITY): UID=MAIL[FLAGS] … next=UIDNEXT`, then subscriptions and directories. */
  readonly A: readonly string[];
  readonly B: readonly string[];
}

/** Both sides. */
export type Pair<S extends StorySide = Side> = Readonly<Record<SideName, S>>;

/** One run as it is asked for; `words` are the options of the command line. */
export interface Request {
  readonly start: SideName;
  readonly command: 'sync' | 'backup';
  readonly words: readonly string[];
  readonly during: During | null;
}

/** Does one run from `start` to the other side. */
export type Runner<S extends StorySide = Side> = (
  pair: Pair<S>,
  request: Request,
) => Promise<Pick<RunResult, 'exit' | 'state' | 'error'>>;

/** Where a scenario is played. */
export interface World<S extends StorySide = Side> {
  readonly tick: () => Promise<void> | void;
  readonly makeSide: (name: SideName) => Promise<S>;
  readonly run: Runner<S>;
}

/** Both sides' mail where `makePlace` says. */
export function sidesAt(scenario: Scenario, clock: Clock, makePlace: MakePlace): Omit<World, 'run'> {
  const inboxDeletable = !scenario.confirmed.includes('maildir');
  return {
    tick: () => clock.tick(),
    makeSide: (name) => Side.make(name, scenario.config?.[name] ?? {}, inboxDeletable, makePlace),
  };
}

/** @returns the outcome as lines, and the errors of failed runs, for whoever has to find out why */
export async function play<S extends StorySide>(
  scenario: Scenario,
  world: World<S>,
): Promise<Outcome & { readonly errors: readonly unknown[] }> {
  const pair: Pair<S> = { A: await world.makeSide('A'), B: await world.makeSide('B') };
  for (const name of ['A', 'B'] as const) {
    const state = scenario.initial[name];
    if (state !== null) await pair[name].place(state);
  }
  await world.tick();
  const runs: string[] = [];
  const errors: unknown[] = [];
  let previous = '';
  const saved = new Map<string, string>();
  for (const step of scenario.steps) {
    if (step.op === 'tick') await world.tick();
    else if (step.op !== 'sync') await pair[step.side].act(step);
    else {
      const given = step.state_from === undefined ? previous : (saved.get(step.state_from) ?? '');
      const words = step.options.map((word) => (word === '$STATE' ? given : word));
      const { start, command, during = null } = step;
      const result = await world.run(pair, { start, command, words, during });
      runs.push(printRun(result.exit, result.state === null ? undefined : result.state === '' ? 'empty' : 'printed'));
      if (result.error !== null) errors.push(result.error);
      if (result.state !== null) previous = result.state;
      if (step.save_state !== undefined) saved.set(step.save_state, result.state ?? '');
    }
  }
  return {
    runs,
    A: printSide(await pair.A.read(), scenario.final.A),
    B: printSide(await pair.B.read(), scenario.final.B),
    errors,
  };
}

/** What the recording says, in the form of `play`. */
export function recordedOutcome(scenario: Scenario): Outcome {
  return {
    runs: scenario.steps.flatMap((step) => (step.op === 'sync' ? [printRun(step.expect.exit, step.expect.state)] : [])),
    A: printSide(scenario.final.A, scenario.final.A),
    B: printSide(scenario.final.B, scenario.final.B),
  };
}

/** What the two ends speak. */
export type Dialect = 'native' | 'dovecot';

/** Runs inside this process. */
export function runHere(dialect: Dialect): Runner {
  return async (pair, { start, command, words, during }) => {
    await using near = await pair[start].open();
    await using far = await pair[otherSide(start)].open();
    return await runSync(near, far, readOptions(command, words), { ...hooksOf(pair, during), dialect });
  };
}

/** The side across. */
export const otherSide = (side: SideName): SideName => (side === 'A' ? 'B' : 'A');

/** Lets things happen while a run goes on. */
export function hooksOf(pair: Pair<StorySide>, during: During | null): RunHooks {
  if (during === null) return {};
  return { wrap: (channel) => watchChannel(channel, pointOf(during.when), () => actAll(pair, during)) };
}

/** What users do while a run goes on. */
export async function actAll(pair: Pair<StorySide>, { steps }: During): Promise<void> {
  for (const step of steps) await pair[step.side].act(step);
}

function printRun(exit: number, state: 'printed' | 'empty' | undefined): string {
  return `${exit}${state === undefined ? '' : state === 'printed' ? ' state' : ' empty'}`;
}

/** Leading zeros of GUIDs are left out, as are fields that the recording tells of no mail of the mailbox. */
function printSide(state: ScenarioState | SideSeen, recorded: ScenarioState): readonly string[] {
  const boxes: Readonly<Record<string, ScenarioMailbox | MailboxSeen>> = state.mailboxes;
  const lines = Object.entries(boxes).map(([name, box]) => {
    const model = recorded.mailboxes[name];
    const tells = (field: 'date' | 'recent'): boolean =>
      model?.messages.some((mail) => mail[field] !== undefined) ?? false;
    const mails = box.messages.map((mail: ScenarioMail) => {
      const marks = [...(mail.flags ?? []).toSorted(), ...(mail.keywords ?? []).toSorted()];
      if (tells('date')) marks.push(`date ${mail.date}`);
      if (tells('recent') && mail.recent) marks.push('recent');
      return ` ${mail.uid}=${mail.guid}${marks.length === 0 ? '' : `[${marks.join(' ')}]`}`;
    });
    const attributes: Readonly<Record<string, string>> = model?.attributes === undefined ? {} : (box.attributes ?? {});
    const metadata = Object.entries(attributes).map(([key, value]) => ` ${key}=${value}`);
    const guid = box.guid.replace(/^0+/, '');
    return `${name}(${guid}/${box.uidvalidity}):${mails.join('')} next=${box.uidnext}${metadata.toSorted().join('')}`;
  });
  return [
    ...lines.toSorted(),
    ...state.subscriptions.toSorted().map((name) => `subscribed ${name}`),
    ...(state.directories ?? []).toSorted().map((name) => `directory ${name}`),
  ];
}
