/**
 * Milliseconds, with fractions, of a clock that nobody sets; for durations alone. As `performance.now()`, which would load
 * a part of Node that costs a short run a millisecond.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Milliseconds, some 24 days: a timer that is set for longer goes off at once. */
export const MAX_TIMER_MS = 0x7fffffff;
