/**
 * A real Dovecot at one end and our programs at the other, each with an account of the same user. Dovecot judges both: the
 * same one, since our accounts lie in its folder, or one of its kind where it keeps its own mail in another format.
 */
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { DOVEADM_PASSWORD, type DovecotVersion } from '../rig/dovecot-config.ts';
import { type Dovecot, startDovecot } from '../rig/dovecot.ts';
import { type OurServer, startOurServer } from '../rig/ours.ts';
import { CLEAN_ENVIRONMENT, type Outcome, run } from '../rig/processes.ts';
import { TRIXIE } from '../rig/trixie.ts';

/** What the Dovecot is in a run; our programs are the other. */
export type DovecotIs = 'server' | 'client';
/** `starttls` and `unix`: our client alone does that for a sync. The socket is of mode 0600, so it asks for no password. */
export type Carrier = 'command' | 'tcp' | 'tcps' | 'starttls' | 'unix';

/** Who talks to whom, by what. */
export interface Pairing {
  readonly version: DovecotVersion;
  readonly dovecotIs: DovecotIs;
  readonly carrier: Carrier;
}

/** Both programs of one version of Dovecot, started once for many users. */
export interface Ends extends AsyncDisposable {
  readonly dovecot: Dovecot;
  readonly server: OurServer;
  /** The Dovecot that has this account. */
  holder(name: string): Dovecot;
  /** Makes homes for a user at both ends. */
  addUser(user: string): Promise<void>;
  /** Runs `VERB ARGS` from the end that starts it, with these `NAME=VALUE` over its other settings. Ours prints its report as JSON, or with `-s` the state. */
  sync(pairing: Pairing, user: string, verb: readonly string[], settings?: readonly string[]): Promise<Outcome>;
}

/** The name under which Dovecot shows our account. */
export const ours = (user: string): string => `our-${user}`;

const checkout = join(import.meta.dirname, '../../..');
const bin = (name: string): string => join(checkout, 'node_modules/.bin', name);

/** Our programs run as the owner of the mail, but may read any checkout and start a Dovecot as root. */
const AS_MAIL_USER = (uid: number): string[] => [
  'setpriv',
  ...[`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'],
  ...['--inh-caps=+dac_override,+setuid,+setgid', '--ambient-caps=+dac_override,+setuid,+setgid'],
];
const AS_ROOT = ['setpriv', '--reuid=0', '--regid=0', '--clear-groups'];

/** The chroot with our programs and this Node in it, for a doveadm there that starts them. */
const WITH_OURS = [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
  'root=$1; node=$2; checkout=$3; shift 3; mkdir -p "$root$checkout" && : >> "$root/usr/local/bin/node" && ' +
    'mount -t proc proc "$root/proc" && mount --bind "$node" "$root/usr/local/bin/node" && ' +
    'mount --bind "$checkout" "$root$checkout" && exec chroot "$root" "$@"',
  ...['sh', TRIXIE, process.execPath, checkout],
];

const runWords = ([program = '', ...args]: readonly string[]): Promise<Outcome> =>
  run(program, args, { env: { ...CLEAN_ENVIRONMENT, HOME: '/nonexistent' } });

/** Where a Dovecot keeps its users' mail. */
export type Format = 'maildir' | 'sdbox' | 'mdbox' | 'mbox';

const locationLines = (version: DovecotVersion, format: Format): string => {
  const inbox = format === 'mbox' ? (version === '2.3' ? ':INBOX=~/inbox' : '\nmail_inbox_path = ~/inbox') : '';
  if (version === '2.3') return `mail_location = ${format}:~/${format}${inbox}`;
  return `mail_driver = ${format}\nmail_path = ~/${format}${inbox}`;
};

/**
 * @param format of the mail at Dovecot's end; ours is always a Maildir
 * @param more lines of its configuration
 * @param ourMore further `NAME=VALUE` of our server, from the folder of the homes
 */
export const startEnds = async (
  version: DovecotVersion,
  format: Format = 'maildir',
  more = '',
  ourMore: (homes: string) => readonly string[] = () => [],
): Promise<Ends> => {
  const isMaildir = format === 'maildir';
  const extra = `${isMaildir ? '' : locationLines(version, format)}\n${more}`;
  const dovecot = await startDovecot({ version, users: [], extra, tls: true });
  const dovecots = [dovecot];
  const stop = async (): Promise<void> => {
    for (const started of dovecots) await started.stop();
  };
  /** What does not start leaves nothing running. */
  const orStop = async <T>(starting: Promise<T>): Promise<T> =>
    await starting.catch(async (error: unknown) => {
      await stop();
      throw error;
    });
  const keeper = isMaildir ? dovecot : await orStop(startDovecot({ version, users: [] }));
  if (keeper !== dovecot) dovecots.push(keeper);
  const holder = (name: string): Dovecot => (name.startsWith('our-') ? keeper : dovecot);
  const inChroot = (path: string): string => (version === '2.3' ? path : path.slice(TRIXIE.length));
  const homes = join(keeper.home('x'), '../');
  const inside = inChroot(homes);
  const settings = (folder: string): string[] => [
    ...['-o', `mail_location=maildir:${folder}our-%u/Maildir`, '-o', `doveadm_password=${DOVEADM_PASSWORD}`],
  ];
  const overrides = (words: readonly string[]): string[] => words.flatMap((word) => ['-o', word]);
  const server = await orStop(
    startOurServer(dovecot.mailUid, `maildir:${homes}our-%u/Maildir`, overrides(ourMore(homes)), dovecot.certificates),
  );
  const configuration = inChroot(join(dovecot.home('x'), '../../dovecot.conf'));

  const fromOurs = (
    { carrier }: Pairing,
    user: string,
    verb: readonly string[],
    own: readonly string[],
  ): Promise<Outcome> => {
    const destination = {
      tcp: [`tcp:127.0.0.1:${dovecot.doveadmPort}`],
      tcps: [`tcps:localhost:${dovecot.doveadmTlsPort}`],
      starttls: [`tcp:localhost:${dovecot.doveadmPort}`],
      unix: [`unix:${join(homes, '../run/doveadm-server')}`],
      command: [...AS_ROOT, ...dovecot.doveadmCommand(['dsync-server', `-u${user}`])],
    }[carrier];
    const [command = '', ...options] = verb;
    return runWords([
      ...AS_MAIL_USER(dovecot.mailUid),
      bin('dsync'),
      ...settings(homes),
      ...['-o', `ssl_client_ca_file=${dovecot.certificates}/ca.crt`],
      ...(carrier === 'starttls' ? ['-o', 'doveadm_ssl=starttls'] : []),
      ...overrides(own),
      ...[command, ...options, '-u', user, ...(options.includes('-s') ? [] : ['--json']), ...destination],
    ]);
  };
  const fromDovecot = (
    { carrier }: Pairing,
    user: string,
    verb: readonly string[],
    own: readonly string[],
  ): Promise<Outcome> => {
    const [command = '', ...options] = verb;
    const doveadm = ['doveadm', '-c', configuration, ...overrides(own), command, ...options, '-u', user];
    if (carrier !== 'command') {
      const where = carrier === 'tcp' ? `tcp:127.0.0.1:${server.port}` : `tcps:127.0.0.1:${server.tlsPort}`;
      return dovecot.doveadm([...overrides(own), command, ...options, '-u', user, where]);
    }
    const words = [...doveadm, bin('dsync-server'), ...settings(inside), '-u', user];
    return runWords(version === '2.3' ? words : [...WITH_OURS, ...words]);
  };
  return {
    dovecot,
    server,
    holder,
    addUser: async (user) => {
      for (const name of [user, ours(user)]) {
        await mkdir(holder(name).home(name), { mode: 0o700 });
        await chown(holder(name).home(name), dovecot.mailUid, dovecot.mailGid);
      }
    },
    sync: (pairing, user, verb, own = []) =>
      (pairing.dovecotIs === 'server' ? fromOurs : fromDovecot)(pairing, user, verb, own),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await stop();
    },
  };
};
