/**
 * Tries many inputs on every reader of foreign bytes: `ci [TARGET…]`, with DSYNC_SEED and DSYNC_RUNS as in the tests;
 * looks for new ways through one of them, or through one after the other: `search [TARGET [SECONDS]]`; tries kept inputs again:
 * `replay FILE…`.
 */
import { appendFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { keep, replay, targetNamed } from './findings.ts';
import { makeInput } from './make-input.ts';
import { searchOn } from './search.ts';
import { isOutcome, type Stretch } from './messages.ts';
import { TARGETS, type Target } from './targets.ts';
import { runThread } from './thread.ts';

const FIXED_SEED = 20_261_124;
/** Parts of a target that can be tried at the same time. */
const PARTS = 2;
const SEARCH_SECONDS = 120;

const runs = Number(process.env['DSYNC_RUNS'] ?? 1);
const wanted = process.env['DSYNC_SEED'] ?? (process.env['CI'] === undefined ? 'random' : String(FIXED_SEED));
const seed = wanted === 'random' ? Date.now() % 2 ** 31 : Number(wanted);

interface Tried {
  readonly mostBytes: number;
  /** What went wrong; null: nothing. */
  readonly wrong: string | null;
}

async function tryStretch(target: Target, from: number, to: number): Promise<Tried> {
  const progress = new Int32Array(new SharedArrayBuffer(4)).fill(from);
  const data: Stretch = { target: target.name, seed, from, to, progress };
  let mostBytes = 0;
  let stack: string | null = null;
  const ended = await runThread({
    module: './worker.ts',
    data,
    pulse: () => Atomics.load(progress, 0),
    heard: (message) => {
      if (isOutcome(message)) ({ mostBytes, stack } = message);
    },
  });
  const wrong = stack ?? ended;
  if (wrong === null) return { mostBytes, wrong };
  const index = Atomics.load(progress, 0);
  const file = keep(target.name, makeInput(target, await target.seeds(), seed, index));
  return {
    mostBytes,
    wrong: `input ${index}: ${wrong}\n  kept as ${file}; again with: npm run fuzz -- replay ${file}`,
  };
}

async function tryTarget(target: Target, slots: Slots): Promise<boolean> {
  const inputs = Math.max(PARTS, Math.round(target.inCi * runs));
  let busy = 0;
  const parts = Array.from({ length: PARTS }, (_, part) =>
    slots.use(async () => {
      const begin = performance.now();
      const bounds = [part, part + 1].map((n) => Math.floor((inputs * n) / PARTS));
      const tried = await tryStretch(target, bounds[0] ?? 0, bounds[1] ?? inputs);
      busy += performance.now() - begin;
      return tried;
    }),
  );
  const tried = await Promise.all(parts);
  const wrong = tried.flatMap((part) => part.wrong ?? []);
  const most = Math.max(...tried.map(({ mostBytes }) => mostBytes));
  console.log(
    wrong.length === 0
      ? `ok      ${target.name}: ${inputs} inputs, ${(busy / 1000).toFixed(1)} s, at most ${Math.ceil(most / 1e6)} MB`
      : `FAILED  ${target.name}: ${wrong.join('\n')}`,
  );
  return wrong.length === 0;
}

/** As many at a time as there are processors. */
class Slots {
  #free = availableParallelism();
  readonly #waiting: (() => void)[] = [];

  async use<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

async function tryAll(targets: readonly Target[]): Promise<boolean> {
  const inputs = targets.reduce((sum, { inCi }) => sum + Math.round(inCi * runs), 0);
  console.log(`${inputs} inputs, seed ${seed} (DSYNC_SEED)`);
  const slots = new Slots();
  const results = await Promise.all(targets.map((target) => tryTarget(target, slots)));
  const passed = results.filter((ok) => ok).length;
  console.log(`${passed} passed, ${results.length - passed} failed, 0 skipped`);
  const counts = process.env['DSYNC_COUNTS_FILE'];
  if (counts !== undefined) appendFileSync(counts, `${passed} ${results.length - passed} 0\n`);
  return passed === results.length;
}

async function searchAll(targets: readonly Target[], seconds: number): Promise<boolean> {
  let nothing = true;
  for (const target of targets) nothing = (await searchOn(target, seed, seconds)) && nothing;
  return nothing;
}

async function replayAll(files: readonly string[]): Promise<boolean> {
  for (const file of files) {
    await replay(file);
    console.log(`${file}: nothing happens`);
  }
  return true;
}

const [command = 'search', ...words] = process.argv.slice(2);
const named = (names: readonly string[]): readonly Target[] => (names.length === 0 ? TARGETS : names.map(targetNamed));
const commands: Readonly<Record<string, () => Promise<boolean>>> = {
  ci: () => tryAll(named(words)),
  search: () => searchAll(named(words.slice(0, 1)), Number(words[1] ?? SEARCH_SECONDS)),
  replay: () => replayAll(words),
};
const action = Object.hasOwn(commands, command) ? commands[command] : undefined;
if (action === undefined) {
  console.error('usage: npm run fuzz -- search [TARGET [SECONDS]] | ci [TARGET…] | replay FILE…');
  process.exitCode = 64;
} else if (!(await action())) process.exitCode = 1;
