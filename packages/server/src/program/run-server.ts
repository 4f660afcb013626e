/** `dsync-server`: one session on stdin and stdout, or with `--listen` the daemon. */
import { loadSettings, UsageError, type OptionValues, type Settings } from '@dsync/settings';

import type { Daemon } from '../daemon.ts';
import { STALL_TIMEOUT_MS } from '../limits.ts';
import { parseListenAddress } from '../listen/address.ts';
import { describeError } from '../log/describe-error.ts';
import type { Log } from '../log/log.ts';

/** The command line of `dsync-server`, or of `dsync dsync-server`, read. */
export interface ServerRun {
  readonly options: OptionValues;
  /** Words that are no options. One is allowed, and means nothing: peers name the command once more. */
  readonly rest: readonly string[];
  readonly log: Log;
  /** `-c` and `-o` of both places where they can stand. */
  readonly config: string | null;
  readonly overrides: readonly string[];
}

/**
 * Runs until the session, or the daemon, ends.
 * @throws {UsageError} {SettingsError} and whatever ends a session on stdin
 */
export async function runServer(run: ServerRun): Promise<void> {
  const { options, rest, log } = run;
  if (rest.length > 1) throw new UsageError(`dsync-server: too many arguments: ${rest.join(' ')}`);
  const fsync = options.get('fsync');
  if (fsync !== undefined && fsync !== 'on' && fsync !== 'off')
    throw new UsageError(`--fsync is on or off, not ${JSON.stringify(fsync)}`);
  const load = (): Settings => {
    const settings = loadSettings({ file: run.config, overrides: run.overrides, debug: (text) => log.debug(text) });
    return fsync === undefined ? settings : { ...settings, fsync: fsync === 'on' };
  };
  const stallTimeoutMs = stallTimeout(options.get('timeout'));
  const listen = options.all('listen').map(parseListenAddress);
  // Each of both is loaded by the runs that need it: sockets and TLS cost a session on stdin more than its own work.
  if (listen.length === 0) {
    const { serveStdio } = await import('./serve-stdio.ts');
    await serveStdio(load(), {
      user: options.get('user') ?? null,
      stallTimeoutMs,
      rawlog: options.get('rawlog') ?? null,
      log,
    });
    return;
  }
  if (options.has('rawlog')) throw new UsageError('-r is for one session; it cannot be used with --listen');
  await runDaemon(load, listen, log);
}

function stallTimeout(text: string | undefined): number {
  if (text === undefined) return STALL_TIMEOUT_MS;
  if (!/^[0-9]{1,7}$/.test(text)) throw new UsageError(`Invalid -T parameter: ${text}`);
  return Number(text) * 1000;
}

async function runDaemon(load: () => Settings, addresses: Parameters<Daemon['listen']>[0], log: Log): Promise<void> {
  const settings = load();
  const { Daemon } = await import('../daemon.ts');
  const daemon = new Daemon(settings, log);
  if (settings.doveadmPassword === null && addresses.some((a) => a.kind !== 'unix')) {
    log.warning('doveadm_password is not set: nobody can log in over TCP');
  }
  // One session's defect must not end the others.
  process.on('unhandledRejection', (reason) => log.error(describeError(reason).message));
  for (const name of await daemon.listen(addresses)) log.info(`listening on ${name}`);
  process.on('SIGHUP', () => {
    try {
      daemon.reload(load());
      log.info('settings and certificates reloaded');
    } catch (error) {
      log.error(`reload failed, the old settings stay: ${describeError(error).message}`);
    }
  });
  await terminated(() => daemon.abort());
  await daemon.stopListening();
  log.info('stopping: sessions under way are finished');
  await daemon.sessionsEnded();
}

/** Resolves with the first signal; whoever sends another one does not want to wait. */
function terminated(impatient: () => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) impatient();
      asked = true;
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
