/**
 * Milliseconds, with fractions, of a clock that nobody sets; for durations alone. As `performance.now()`, which would load
 * a part of Node that costs a short run a millisecond.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
