/** Entry of the bundle: what stands between the operating system and the program. */
import { serverMain } from './program/main.ts';

declare const DSYNC_VERSION: string;

/** Runs the program and sets the process's exit status. */
export async function run(): Promise<void> {
  const status = await serverMain(process.argv.slice(2), DSYNC_VERSION);
  process.exitCode = status;
  await drained();
  // What is still open (a peer that does not close, a store's background) must not keep the process.
  process.exit(status);
}

/** A pipe takes what fits; the rest of a long result is written before the process ends. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write('', () => {
      process.stderr.write('', () => resolve());
    });
  });
}
