/** The program `dsync`, and `doveadm` where it is called so. */
import { basename } from 'node:path';

import {
  createLog,
  describeError,
  readLogFormat,
  runServer,
  SERVER_OPTIONS,
  type DescribedError,
  type Log,
  type LogFormat,
} from '@dsync/server';
import { GLOBAL_OPTIONS, loadSettings, parseOptions, UsageError, type OptionValues } from '@dsync/settings';

import { SYNC_OPTIONS } from './command-line/sync-options.ts';
import { runSync } from './commands/run-sync.ts';
import { printJson, resultOfMisuse } from './report/result.ts';

/** What both places of the global options, before and after the command, come to. */
interface Globals {
  readonly config: string | null;
  readonly overrides: readonly string[];
  readonly debug: boolean;
  readonly verbose: boolean;
  readonly format: LogFormat;
}

/** How the program calls itself, by the name that it was started by. */
export function programName(name: string): string {
  return basename(name) === 'doveadm' ? 'doveadm' : 'dsync';
}

/**
 * @param name the name that the program was started by
 * @returns the exit status
 */
export async function clientMain(name: string, argv: readonly string[], version: string): Promise<number> {
  const program = programName(name);
  let log: Log = createLog({ program, level: 'warning', format: 'text' });
  /** Tells a script, too, of what ends the run before it begins. */
  let misused: ((error: DescribedError) => void) | null = null;
  try {
    const first = parseOptions(program, argv, GLOBAL_OPTIONS);
    const [command, ...words] = first.rest;
    if (first.options.has('version')) {
      process.stdout.write(`${version}\n`);
      return 0;
    }
    if (first.options.has('help') || command === 'help')
      return await showHelp(command === 'help' ? (words[0] ?? null) : null);
    if (command === undefined)
      throw new UsageError(`${program} [options] sync|backup|dsync-server …: no command is given (see --help)`);
    const specs =
      command === 'dsync-server' ? SERVER_OPTIONS : command === 'sync' || command === 'backup' ? SYNC_OPTIONS : null;
    if (specs === null)
      throw new UsageError(`unknown command ${JSON.stringify(command)} (there are sync, backup and dsync-server)`);
    const { options, rest } = parseOptions(command, words, specs);
    if (options.has('help')) return await showHelp(command);
    const globals = joinGlobals(first.options, options);
    log = createLog({
      program,
      level: globals.debug ? 'debug' : globals.verbose ? 'info' : 'warning',
      format: globals.format,
    });
    const { config: file, overrides } = globals;
    if (command === 'dsync-server') {
      await runServer({ options, rest, log, config: file, overrides });
      return 0;
    }
    const kind = command === 'backup' ? 'backup' : 'sync';
    if (options.has('json'))
      misused = (error) => void process.stdout.write(printJson(resultOfMisuse(error, kind, options)));
    const settings = loadSettings({ file, overrides, debug: (text) => log.debug(text) });
    return await runSync({ command: kind, options, rest, settings, log });
  } catch (error) {
    const described = describeError(error);
    log.error(described.message);
    misused?.(described);
    if (error instanceof Error) log.debug(error.stack ?? '');
    return described.exit;
  } finally {
    await log.flush();
  }
}

async function showHelp(command: string | null): Promise<number> {
  const { helpText } = await import('./command-line/help.ts');
  process.stdout.write(await helpText(command));
  return 0;
}

function joinGlobals(before: OptionValues, after: OptionValues): Globals {
  return {
    config: after.get('config') ?? before.get('config') ?? null,
    overrides: [...before.all('option'), ...after.all('option')],
    debug: before.has('debug') || after.has('debug'),
    verbose: before.has('verbose') || after.has('verbose'),
    format: readLogFormat(after.get('log-format') ?? before.get('log-format')),
  };
}
