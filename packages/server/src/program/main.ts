/** The program `dsync-server`. */
import { parseOptions } from '@dsync/settings';

import { describeError } from '../log/describe-error.ts';
import { createLog, readLogFormat, type LogLevel } from '../log/log.ts';
import { printServerHelp } from './help.ts';
import { runServer } from './run-server.ts';
import { SERVER_OPTIONS } from './server-options.ts';

/** @returns the exit status */
export async function serverMain(argv: readonly string[], version: string): Promise<number> {
  let log = createLog({ program: 'dsync-server', level: 'info', format: 'text' });
  try {
    const { options, rest } = parseOptions('dsync-server', argv, SERVER_OPTIONS);
    if (options.has('help')) {
      process.stdout.write(printServerHelp());
      return 0;
    }
    if (options.has('version')) {
      process.stdout.write(`${version}\n`);
      return 0;
    }
    const format = readLogFormat(options.get('log-format'));
    // On stdin and stdout the lines go to the peer's terminal: only what matters there.
    const quiet: LogLevel = options.has('listen') || options.has('verbose') ? 'info' : 'warning';
    log = createLog({ program: 'dsync-server', level: options.has('debug') ? 'debug' : quiet, format });
    await runServer({ options, rest, log, config: options.get('config') ?? null, overrides: options.all('option') });
    return 0;
  } catch (error) {
    const described = describeError(error);
    log.error(described.message);
    if (error instanceof Error) log.debug(error.stack ?? '');
    return described.exit;
  } finally {
    await log.flush();
  }
}
