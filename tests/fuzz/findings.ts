/** Inputs that did what must not happen, kept as files that can be tried again. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { TARGETS, type Target } from './targets.ts';

/** The folder of kept inputs. */
export const FINDINGS = join(import.meta.dirname, '../../fuzz-findings');

/** @returns the file */
export function keep(target: string, input: Buffer): string {
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${target}.${createHash('sha256').update(input).digest('hex').slice(0, 16)}`);
  writeFileSync(file, input);
  return file;
}

/** Tries a kept input again. @throws what it throws */
export async function replay(file: string): Promise<void> {
  await targetNamed(basename(file).split('.', 1)[0] ?? '').run(readFileSync(file));
}

/** @throws {Error} that names all targets, for any other name */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined)
    throw new Error(`no target ${JSON.stringify(name)}; there are: ${TARGETS.map((one) => one.name).join(' ')}`);
  return target;
}
