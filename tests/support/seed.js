/**
 * In CI every property starts from one seed, so that a change is judged by the same cases as the one before it.
 * Elsewhere seeds are random; they are printed, and DSYNC_SEED=N repeats or moves them anywhere.
 */
import fc from 'fast-check';

const FIXED = 20_261_124;

const wanted = process.env['DSYNC_SEED'] ?? (process.env['CI'] ? String(FIXED) : undefined);
if (wanted !== undefined && wanted !== 'random')
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });
