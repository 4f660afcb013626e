/** Entry of the bundle: what stands between the operating system and the program. */
import { endProcessWith } from './program/end-process.ts';
import { serverMain } from './program/main.ts';

declare const DSYNC_VERSION: string;

/** Runs the program and ends the process with its exit status. */
export async function run(): Promise<void> {
  await endProcessWith('dsync-server', () => serverMain(process.argv.slice(2), DSYNC_VERSION));
}
