/** Looks for inputs that go ways which none before has gone, in a thread that can be ended when one hangs. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';

import { Coverage } from './coverage.ts';
import { targetNamed } from './findings.ts';
import { makeInput } from './make-input.ts';
import { isSearch, type Finding, type Progress, type Search } from './messages.ts';
import { say } from './say.ts';

/** To ask which ways were gone costs as much as some tens of inputs. */
const BATCH = 32;
const REPORT_MS = 5000;

async function search({ target: name, seed, seconds, corpus, atHand }: Search): Promise<void> {
  const target = targetNamed(name);
  mkdirSync(corpus, { recursive: true });
  const kept: Buffer[] = [
    ...(await target.seeds()),
    ...readdirSync(corpus).map((file) => readFileSync(join(corpus, file)).subarray(target.delivered ? 2 : 0)),
  ];
  const length = new Int32Array(atHand, 0, 1);
  const bytes = new Uint8Array(atHand, 4);
  const run = async (input: Buffer): Promise<void> => {
    bytes.set(input.subarray(0, bytes.length));
    Atomics.store(length, 0, Math.min(input.length, bytes.length));
    await target.run(input);
  };
  const coverage = new Coverage();
  const begin = performance.now();
  let inputs = 0;
  let reported = 0;
  for (;;) {
    const batch = Array.from({ length: BATCH }, () => makeInput(target, kept, seed, inputs++));
    for (const input of batch) await run(input);
    if (coverage.isNew(false)) {
      for (const input of batch) {
        await run(input);
        if (!coverage.isNew(true)) continue;
        kept.push(target.delivered ? input.subarray(2) : input);
        writeFileSync(join(corpus, createHash('sha256').update(input).digest('hex').slice(0, 16)), input);
      }
    }
    const now = performance.now();
    const over = now - begin > seconds * 1000;
    if (over || now - reported > REPORT_MS) {
      reported = now;
      const progress: Progress = { inputs, kept: kept.length, ways: coverage.size };
      say(progress);
    }
    if (over) return;
  }
}

Error.stackTraceLimit = 0;
try {
  const data: unknown = workerData;
  if (!isSearch(data)) throw new Error('there is nothing to search');
  await search(data);
} catch (error) {
  const finding: Finding = { stack: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  say(finding);
}
