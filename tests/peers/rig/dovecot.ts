/**
 * Real Dovecots for tests: each with its own folder, ports, users and Maildirs, several at a time. 2.3 is the one of the
 * machine; 2.4 lives in a folder with a Debian of its own (trixie.ts) and is started in a chroot, in a mount
 * namespace of its own, so that the proc file system it needs is gone with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeCertificates, writeCertificates } from '../../../certs/make-certificates.ts';
import { type DovecotVersion, printConfig } from './dovecot-config.ts';
import { freePorts } from './ports.ts';
import { CLEAN_ENVIRONMENT, endProcess, type Outcome, run, untilAccepting } from './processes.ts';
import { TRIXIE } from './trixie.ts';

/** What a test wants of its Dovecot. */
export interface DovecotOptions {
  readonly version: DovecotVersion;
  /** Users whose homes are made; any other name can log in too, but has no home. */
  readonly users: readonly string[];
  /** The hierarchy separator that IMAP shows. */
  readonly separator?: '/' | '.';
  /** Further configuration lines in the version's own syntax. */
  readonly extra?: string;
  /** With certificates of its own, and a doveadm listener that speaks TLS. */
  readonly tls?: true;
  /** Where the folder of a 2.3 is made, searchable by everybody; 2.4 lives in its chroot. Default `/tmp`. */
  readonly parent?: string;
}

/** A Dovecot that runs, and its folder. */
export interface Dovecot extends AsyncDisposable {
  readonly version: DovecotVersion;
  readonly imapPort: number;
  readonly doveadmPort: number;
  /** With `tls`; 0 without. */
  readonly doveadmTlsPort: number;
  /** Its certificates, `ca.crt`, `server.crt` and `server.key`, with `tls`. */
  readonly certificates: string;
  /** The owner of all mail. */
  readonly mailUid: number;
  readonly mailGid: number;
  /** A user's home as this process reaches it; the mail is in its folder `Maildir`. */
  home(user: string): string;
  /** Runs this Dovecot's own doveadm as root. */
  doveadm(args: readonly string[], input?: Buffer | string): Promise<Outcome>;
  /** What a shell would run for `doveadm ARGS` (2.3 only as a plain command; 2.4 in its chroot). */
  doveadmCommand(args: readonly string[]): readonly string[];
  /** The whole log so far. */
  log(): Promise<string>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
  /** Ends it; the folder stays, with the mail. */
  leave(): Promise<void>;
}

/** No such account need exist: Dovecot takes numbers. */
const MAIL_ID = 5000;

/** Enters the chroot with its own proc, then becomes the program (the process id stays). */
const insideTrixie = (command: readonly string[]): string[] => [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  'root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" "$@"',
  'sh',
  TRIXIE,
  ...command,
];

const wrap = (version: DovecotVersion, command: readonly string[]): readonly string[] =>
  version === '2.3' ? command : insideTrixie(command);

const spawnCommand = ([program = '', ...args]: readonly string[]): ChildProcess =>
  spawn(program, args, { env: CLEAN_ENVIRONMENT, stdio: ['ignore', 'ignore', 'pipe'] });

const makeHomes = async (folder: string, users: readonly string[]): Promise<void> => {
  await mkdir(join(folder, 'home'), { mode: 0o755 });
  for (const user of users) {
    const home = join(folder, 'home', user);
    await mkdir(home, { mode: 0o700 });
    await chown(home, MAIL_ID, MAIL_ID);
  }
};

/** @throws {Error} if it does not come up within 20 s, with its log */
export const startDovecot = async (options: DovecotOptions): Promise<Dovecot> => {
  const { version, users } = options;
  const outside = version === '2.3' ? '' : TRIXIE;
  const parent = version === '2.3' ? (options.parent ?? '/tmp') : join(TRIXIE, 'tmp');
  const folder = await mkdtemp(join(parent, 'dovecot-'));
  // The mail user must be able to search every folder above the homes.
  await chmod(folder, 0o755);
  await makeHomes(folder, users);

  const inside = folder.slice(outside.length);
  const [imapPort = 0, doveadmPort = 0, doveadmTlsPort = 0] = await freePorts(3);
  const certificates = join(folder, 'certs');
  if (options.tls) writeCertificates(certificates, makeCertificates());
  const tls = options.tls ? { folder: `${inside}/certs`, port: doveadmTlsPort } : null;
  const input = { folder: inside, separator: options.separator ?? '/', mailUid: MAIL_ID, mailGid: MAIL_ID };
  await writeFile(
    join(folder, 'dovecot.conf'),
    printConfig(version, { ...input, imapPort, doveadmPort, tls, extra: options.extra ?? '' }),
  );

  const child = spawnCommand(wrap(version, ['dovecot', '-F', '-c', `${inside}/dovecot.conf`]));
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk));
  const log = (): Promise<string> => readFile(join(folder, 'dovecot.log'), 'utf8').catch(() => '');
  const explain = async (): Promise<string> => `${Buffer.concat(complaints).toString('utf8')}${await log()}`;
  const doveadmCommand = (args: readonly string[]): readonly string[] =>
    wrap(version, ['doveadm', '-c', `${inside}/dovecot.conf`, ...args]);
  const leave = (): Promise<void> => endProcess(child);
  const stop = async (): Promise<void> => {
    await leave();
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await untilAccepting(imapPort, child, explain);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    version,
    imapPort,
    doveadmPort,
    doveadmTlsPort: options.tls ? doveadmTlsPort : 0,
    certificates,
    mailUid: MAIL_ID,
    mailGid: MAIL_ID,
    home: (user) => join(folder, 'home', user),
    doveadm: (args, text = '') => {
      const [program = '', ...rest] = doveadmCommand(args);
      return run(program, rest, { input: text });
    },
    doveadmCommand,
    log,
    stop,
    leave,
    [Symbol.asyncDispose]: stop,
  };
};

/** Lines of a log that tell of trouble. */
export const troubles = (log: string): string[] =>
  log.split('\n').filter((line) => /\b(Warning|Error|Fatal|Panic):/.test(line));
