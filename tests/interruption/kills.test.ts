/**
 * SIGKILL at random moments of a run over TCP, at either end. Whatever was under way, the next run makes both sides
 * equal: nothing lost, nothing doubled, nothing left lying about.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { temporaryFolder } from '../support/maildir-side.ts';
import { RUNS } from '../support/runs.ts';
import { contents, look, strays } from './maildirs.ts';
import { Rig, type Whole } from './rig.ts';
import type { Kill } from './kill.ts';
import { type Scene, SCENES } from './scenes.ts';

/** Kills for each scene that meet a run under way. */
const KILLS = Math.ceil(11 * RUNS);
/** What waits for a dead process's lock leaves the machine to the others. */
const AT_ONCE = 5;
const TIMEOUT_MS = 240_000 * Math.max(1, RUNS);

const kills = fc.record<Kill>({
  victim: fc.constantFrom('client', 'server'),
  by: fc.constantFrom('time', 'event', 'event'),
  part: fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000),
});

/** One or two: the second comes while the next run mends what the first left. */
const interruptions = fc.tuple(kills, fc.option(kills, { freq: 3 }));

describe.each(SCENES)('killed in the middle of $name', (scene: Scene) => {
  test(
    'the next run completes it',
    async () => {
      await using folder = temporaryFolder('kills');
      const rig = new Rig(folder.path, scene);
      await rig.prepare();
      const { whole, wanted } = await undisturbed(rig);

      const seed = fc.readConfigureGlobal()?.seed ?? Date.now() % 2 ** 31;
      // Some come too late and meet nobody.
      const queue = fc.sample(interruptions, { numRuns: KILLS * 3, seed });
      const failed: unknown[] = [];
      let met = 0;
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined && met < KILLS && failed.length === 0; next = queue.shift()) {
          const told = await killedAndRunAgain(rig, next, whole, wanted);
          met += told.met;
          if (told.cause !== null) failed.push({ seed, kills: next, ...told });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      if (failed.length > 0) throw new Error(`seed ${seed}: ${JSON.stringify(failed, null, 1)}`);
      expect(met).toBeGreaterThanOrEqual(KILLS);
    },
    TIMEOUT_MS,
  );
});

type Contents = ReturnType<typeof contents>;

/** How long a run takes that nobody kills, and how it ends. */
async function undisturbed(rig: Rig): Promise<{ readonly whole: Whole; readonly wanted: Contents }> {
  await using user = await rig.newUser();
  const whole = await user.run();
  expect(whole.ended).toMatchObject({ status: 0, signal: null });
  const wanted = contents(await look(user.near));
  expect(contents(await look(user.far))).toEqual(wanted);
  return { whole, wanted };
}

async function killedAndRunAgain(
  rig: Rig,
  killing: readonly (Kill | null)[],
  whole: Whole,
  wanted: Contents,
): Promise<{ readonly met: number; readonly cause: string | null; readonly stderr: string }> {
  await using user = await rig.newUser();
  let met = 0;
  for (const each of killing) if (each !== null && (await user.runAndKill(each, whole))) met++;
  const { ended } = await user.run();
  await user.stopServer();
  const left = [...strays(user.near), ...strays(user.far)];
  const [near, far] = [await look(user.near), await look(user.far)];
  let cause: string | null = null;
  try {
    expect(ended).toMatchObject({ status: 0, signal: null });
    expect(left).toEqual([]);
    expect(contents(near)).toEqual(wanted);
    expect(far).toEqual(near);
  } catch (error) {
    cause = error instanceof Error ? error.message : String(error);
  }
  return { met, cause, stderr: [...user.said, ended.stderr].join('') };
}
