/** Our own programs as a user of the checkout runs them, with the rights of the mail's owner. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

import { DOVEADM_PASSWORD } from './dovecot-config.ts';
import { freePorts } from './ports.ts';
import { CLEAN_ENVIRONMENT, endProcess, type Outcome, run, untilAccepting } from './processes.ts';

const checkout = join(import.meta.dirname, '../../..');

/**
 * Files get the mail user's uid, as Dovecot needs; the capability lets the program be read from a checkout that only
 * root can enter.
 */
const asMailUser = (uid: number, program: string, args: readonly string[]): [string, string[]] => [
  'setpriv',
  [
    ...[
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      '--inh-caps=+dac_override',
      '--ambient-caps=+dac_override',
    ],
    join(checkout, 'node_modules/.bin', program),
    ...args,
  ],
];

/** `dsync` with the mail at this place. */
export const dsync = (uid: number, mailLocation: string, args: readonly string[]): Promise<Outcome> => {
  const settings = ['-o', `mail_location=${mailLocation}`, '-o', `doveadm_password=${DOVEADM_PASSWORD}`];
  const [program, all] = asMailUser(uid, 'dsync', [...settings, ...args]);
  return run(program, all, { env: { ...CLEAN_ENVIRONMENT, HOME: '/nonexistent' } });
};

/** A `dsync-server --listen` that runs, and its log so far. */
export interface OurServer extends AsyncDisposable {
  readonly port: number;
  /** Of a listener that speaks TLS, where it has certificates. */
  readonly tlsPort: number;
  log(): string;
}

/**
 * `dsync-server` on free loopback ports.
 * @param more further words of its command line
 * @param certificates the folder with its certificate; without one it speaks no TLS
 */
export const startOurServer = async (
  uid: number,
  mailLocation: string,
  more: readonly string[] = [],
  certificates?: string,
): Promise<OurServer> => {
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const settings = ['-o', `mail_location=${mailLocation}`, '-o', `doveadm_password=${DOVEADM_PASSWORD}`, ...more];
  const listen = ['--listen', `tcp:127.0.0.1:${port}`];
  if (certificates !== undefined) {
    settings.push('-o', `ssl_cert=<${certificates}/server.crt`, '-o', `ssl_key=<${certificates}/server.key`);
    listen.push('--listen', `tcps:127.0.0.1:${tlsPort}`);
  }
  const [program, args] = asMailUser(uid, 'dsync-server', [...settings, ...listen]);
  const child: ChildProcess = spawn(program, args, {
    env: { ...CLEAN_ENVIRONMENT, HOME: '/nonexistent' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
  const log = (): string => Buffer.concat(said).toString('utf8');
  try {
    await untilAccepting(port, child, () => Promise.resolve(log()));
  } catch (error) {
    await endProcess(child);
    throw error;
  }
  return { port, tlsPort, log, [Symbol.asyncDispose]: () => endProcess(child) };
};
