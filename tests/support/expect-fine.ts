import { expect } from '@jest/globals';

import type { RunResult } from './run-sync.ts';

/** The run has done all that it was to do. An error is shown, where a status alone would not tell why. */
export function expectFine({ exit, error }: Pick<RunResult, 'exit' | 'error'>): void {
  expect({ exit, error }).toEqual({ exit: 0, error: null });
}
