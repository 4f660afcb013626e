/** Entry of the bundle: what stands between the operating system and the program. */
import { endProcessWith } from '@dsync/server';

import { clientMain, programName } from './main.ts';

declare const DSYNC_VERSION: string;

/** Runs the program and ends the process with its exit status. */
export async function run(): Promise<void> {
  const name = process.argv[1] ?? 'dsync';
  await endProcessWith(programName(name), () => clientMain(name, process.argv.slice(2), DSYNC_VERSION));
}
