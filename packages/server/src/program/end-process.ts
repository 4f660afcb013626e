/** What stands between a program's result and the operating system. */

/** The reader of a pipe has left on purpose (`| head -1`). */
const LEFT = 'EPIPE';

/**
 * Runs a program and ends the process with its exit status. A line of the log that nobody takes ends nothing. A result
 * that cannot be written is an error, unless its reader just did not want all of it.
 * @param name stands in front of messages
 */
export async function endProcessWith(name: string, main: () => Promise<number>): Promise<void> {
  let lost: string | null = null;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // What Node itself finds wrong is of a session, which has ended its stream.
    if (error.errno !== undefined && error.code !== LEFT) lost = error.message;
  });
  let status = await main();
  await drained(process.stdout);
  if (lost !== null) {
    process.stderr.write(`${name}: Error: cannot write to stdout: ${String(lost)}\n`);
    // The run itself may have gone well, but whoever asked does not know.
    if (status === 0) status = 1;
  }
  await drained(process.stderr);
  // What is still open (a peer that does not close, a store's background) must not keep the process.
  process.exit(status);
}

/** A pipe takes what fits; the rest of a long result is written before the process ends. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    // Of one that has failed or ended, its last event is still to come.
    if (stream.writable) stream.write('', () => resolve());
    else setImmediate(resolve);
  });
}
