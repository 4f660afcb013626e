/** Our own server in this process, for the Maildirs of one side of a scenario. */
import { join } from 'node:path';

import { createLog, Daemon, parseListenAddress } from '@dsync/server';
import { loadSettings } from '@dsync/settings';

import { mailFolder } from '../support/maildir-side.ts';
import type { SideConfig, SideName } from '../support/scenario.ts';

interface Server extends AsyncDisposable {
  readonly port: number;
}

/** @param configuration file with the settings */
export async function serve(configuration: string, protocol: 'tcp' | 'tcps'): Promise<Server> {
  const settings = loadSettings({ file: configuration, overrides: [] });
  const daemon = new Daemon(settings, createLog({ program: 'dsync-server', level: 'error', format: 'text' }));
  const [name = ''] = await daemon.listen([parseListenAddress(`${protocol}:127.0.0.1:0`)]);
  return {
    port: Number(name.slice(name.lastIndexOf(':') + 1)),
    [Symbol.asyncDispose]: async () => {
      await daemon.stopListening();
      await daemon.sessionsEnded();
    },
  };
}

/** The settings of one side whose mail lies below `folder`. */
export function printConfig(
  folder: string,
  side: SideName,
  config: SideConfig,
  password: string,
  extra: readonly string[],
): string {
  const layout = config.layout === 'fs' ? ':LAYOUT=fs' : '';
  const namespaces = config.namespaces ?? [{ prefix: config.prefix ?? '', separate_location: false }];
  const lines = namespaces.map(({ prefix, separate_location: separate }, index) =>
    [
      `namespace ns${index} {`,
      `  inbox = ${index === 0 ? 'yes' : 'no'}`,
      `  separator = ${config.separator ?? '/'}`,
      `  prefix = ${prefix}`,
      ...(separate ? [`  location = maildir:${mailFolder(folder, `${side}${index}`)}${layout}`] : []),
      '}',
    ].join('\n'),
  );
  return [
    `mail_location = maildir:${mailFolder(folder, side)}${layout}`,
    `mail_home = ${join(folder, side)}`,
    `doveadm_password = ${password}`,
    ...extra,
    ...lines,
    '',
  ].join('\n');
}
