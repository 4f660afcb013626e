/** Looks for new ways through one target until the time is over or something is found. */
import { join } from 'node:path';

import { keep } from './findings.ts';
import { MAX_INPUT } from './make-input.ts';
import { isFinding, isProgress, type Search } from './messages.ts';
import type { Target } from './targets.ts';
import { runThread } from './thread.ts';

const CORPUS = join(import.meta.dirname, '../../dist/fuzz');

/** @returns whether nothing was found */
export async function searchOn(target: Target, seed: number, seconds: number): Promise<boolean> {
  const atHand = new SharedArrayBuffer(4 + MAX_INPUT);
  const data: Search = { target: target.name, seed, seconds, corpus: join(CORPUS, target.name), atHand };
  let beats = 0;
  let stack: string | null = null;
  const ended = await runThread({
    module: './search-worker.ts',
    data,
    pulse: () => beats,
    heard: (message) => {
      beats++;
      if (isFinding(message)) ({ stack } = message);
      else if (isProgress(message))
        console.log(`${target.name}: ${message.inputs} inputs, ${message.kept} kept, ${message.ways} ways`);
    },
  });
  const wrong = stack ?? ended;
  if (wrong === null) return true;
  const length = new Int32Array(atHand, 0, 1)[0] ?? 0;
  const file = keep(target.name, Buffer.from(new Uint8Array(atHand, 4, length)));
  console.log(`FAILED  ${target.name}: ${wrong}\n  kept as ${file}; again with: npm run fuzz -- replay ${file}`);
  return false;
}
