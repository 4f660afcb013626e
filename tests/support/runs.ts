/**
 * How much is done of what takes long (stories, kills, cuts): all of it in CI; elsewhere a quarter, so that `npm test` is
 * run. DSYNC_RUNS says otherwise: 1 is what CI does, 5 five times as much.
 * @throws {Error} for what is no number above 0, with which tests would pass that have done nothing
 */
export const RUNS: number = Number(process.env['DSYNC_RUNS'] ?? (process.env['CI'] === undefined ? 0.25 : 1));

if (!(RUNS > 0)) throw new Error(`DSYNC_RUNS=${process.env['DSYNC_RUNS']}: a number above 0 is needed`);
