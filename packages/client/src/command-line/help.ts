/** Help texts, by yargs; loaded only when they are asked for. */
import { SERVER_OPTIONS } from '@dsync/server';
import { GLOBAL_OPTIONS, UsageError, type OptionSpec } from '@dsync/settings';
import yargs from 'yargs';

import { SYNC_OPTIONS } from './sync-options.ts';

const TEXTS: Readonly<
  Record<string, { readonly usage: string; readonly options: readonly OptionSpec[]; readonly more: string }>
> = {
  sync: {
    usage:
      'dsync sync [options] DESTINATION\n\nMakes two mail stores identical, two ways: no change made on either side is lost.',
    options: SYNC_OPTIONS,
    more: 'DESTINATION: maildir:PATH | remote:[LOGIN@]HOST | remoteprefix:[LOGIN@]HOST | tcp:HOST[:PORT] | tcps:HOST[:PORT] | unix:PATH | COMMAND [ARGUMENTS]\nExit status: 0 done; 2 done, but run again; 64 usage; 67 no such user; 68 no such mailbox or host; 75 temporary failure; 77 permission; 78 configuration.',
  },
  backup: {
    usage:
      'dsync backup [options] DESTINATION\n\nMakes the destination identical to the source; changes made there are undone.',
    options: SYNC_OPTIONS.filter((option) => option.long !== 'oneway-sync'),
    more: 'DESTINATION and exit status as for sync.',
  },
  'dsync-server': {
    usage: 'dsync dsync-server [options]\n\nServes one session on stdin and stdout, as started by ssh or a wrapper.',
    options: SERVER_OPTIONS,
    more: '',
  },
};

/**
 * @param command null: the program's own help
 * @throws {UsageError} for one that there is not
 */
export async function helpText(command: string | null): Promise<string> {
  if (command !== null && !Object.hasOwn(TEXTS, command))
    throw new UsageError(`there is no help on ${JSON.stringify(command)}, only on ${Object.keys(TEXTS).join(', ')}`);
  const text = command === null ? undefined : TEXTS[command];
  const parser = yargs([])
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .help(false)
    .version(false);
  if (text === undefined) {
    parser
      .usage('dsync [options] COMMAND [options] [arguments]')
      .command('sync', 'make two mail stores identical, two ways (-1: one way)')
      .command('backup', 'make the destination identical to the source')
      .command('dsync-server', 'serve one session on stdin and stdout')
      .epilogue(
        'No configuration file is needed, and none is read without -c:\n  dsync -o mail_location=maildir:/srv/mail/%u/Maildir sync -u USER tcps:HOST\nHelp on a command: dsync COMMAND --help',
      );
  } else {
    parser.usage(text.usage).epilogue(text.more);
  }
  for (const option of text?.options ?? GLOBAL_OPTIONS) {
    parser.option(option.long, {
      ...(option.short === undefined ? {} : { alias: option.short }),
      describe: option.value === undefined ? option.help : `${option.value}: ${option.help}`,
      ...(option.value === undefined ? { boolean: true } : { string: true, requiresArg: true }),
      ...(option.multi === true ? { array: true } : {}),
    });
  }
  return `${await parser.getHelp()}\n`;
}
