/** The nth input of a target, the same for the same seed and the same well-made inputs. */
import { MAX_LENGTH, mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './targets.ts';

/** Longest one that is made. */
export const MAX_INPUT: number = MAX_LENGTH + 2;

/** @param seeds well-made inputs of the target */
export function makeInput(target: Target, seeds: readonly Buffer[], seed: number, index: number): Buffer {
  const random = new Random(seed ^ Math.imul(index + 1, 0x85eb_ca6b));
  const bytes = mutate(seeds, random, target.joints);
  if (!target.delivered) return bytes;
  // Mostly as it comes from a socket, sometimes byte by byte.
  const largest = random.pick([0, 0, 1, 7, 64, 255]);
  return Buffer.concat([Buffer.of(random.below(4), largest), bytes]);
}
