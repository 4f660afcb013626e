/**
 * How much is done of what takes long (stories, kills, cuts): all of it in CI; elsewhere a quarter, so that `npm test` is
 * run. DSYNC_RUNS says otherwise: 1 is what CI does, 5 five times as much.
 */
export const RUNS: number = Number(process.env['DSYNC_RUNS'] ?? (process.env['CI'] === undefined ? 0.25 : 1));
