/** From the options of `sync` and `backup` to what is to be done. */
import { isMailboxGuid, MAX_TIMER_MS, type MailboxGuid } from '@dsync/protocol';
import { UsageError, type OptionValues, type Settings } from '@dsync/settings';
import {
  DEFAULT_OPTIONS,
  parseSyncState,
  type MailFilter,
  type Selection,
  type SyncOptions,
  type SyncState,
} from '@dsync/sync';

import { parseDate, parseFlag, parseSeconds, parseSize } from './grammars.ts';

/** `--dialect`: `auto` offers the native one and takes what the peer speaks. */
export type Dialect = 'auto' | 'native' | 'dovecot';

/** A command line whose every value has been checked. Times with `Ms` are milliseconds. */
export interface SyncRequest {
  readonly user: string;
  readonly options: SyncOptions;
  /** `-s` was given: the new state goes to stdout, alone. */
  readonly printState: boolean;
  /** A state was given that cannot be read: said, and a full run made instead. */
  readonly stateError: string | null;
  readonly destination: readonly string[];
  readonly dialect: Dialect;
  /** Null: as the settings say. */
  readonly fsync: boolean | null;
  readonly json: boolean;
  readonly progress: 'auto' | 'always' | 'never';
  readonly rawlog: string | null;
  readonly connectTimeoutMs: number;
}

/** What the meaning of a command line depends on besides its words. */
export interface RequestContext {
  readonly command: 'sync' | 'backup';
  readonly settings: Settings;
  /** Milliseconds. */
  readonly now: number;
  readonly environmentUser: string | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;

/** @throws {UsageError} */
export function buildRequest(values: OptionValues, rest: readonly string[], context: RequestContext): SyncRequest {
  const { command, settings } = context;
  if (command === 'backup' && values.has('oneway-sync')) throw new UsageError("backup: invalid option -- '1'");
  const user = values.get('user') ?? context.environmentUser ?? '';
  if (user === '') throw new UsageError('USER environment is missing and -u option not used');
  if (/[*?]/.test(user)) throw new UsageError(`-u is one user; masks are not known yet: ${JSON.stringify(user)}`);
  const destination = destinationWords(values, rest, settings);
  const fsync = choice(values, 'fsync', ['on', 'off']);
  const { state, stateError } = readState(values);
  const options: SyncOptions = {
    ...DEFAULT_OPTIONS,
    mode: command === 'backup' ? 'backup' : values.has('oneway-sync') ? 'one-way' : 'two-way',
    reverse: values.has('reverse-sync'),
    algorithm: values.has('full-sync') || stateError !== null ? 'full' : state === null ? 'changed' : 'state',
    state,
    selection: readSelection(values, settings),
    filter: readFilter(values, context.now),
    lockTimeout: seconds(values, 'lock-timeout', '-l', 0),
    stallTimeout: seconds(values, 'timeout', '-T', DEFAULT_OPTIONS.stallTimeout),
    dryRun: values.has('dry-run'),
    debug: values.has('debug'),
    altChar: settings.dsyncAltChar,
    hashedHeaders: settings.dsyncHashedHeaders,
    purgeRemote: values.has('purge-remote'),
    noFsync: fsync === 'off',
    ...optional('virtualAllMailbox', values.get('all-mailbox')),
  };
  return {
    user,
    options,
    printState: values.has('state'),
    stateError,
    destination,
    dialect: choice(values, 'dialect', ['auto', 'native', 'dovecot']) ?? 'auto',
    fsync: fsync === null ? null : fsync === 'on',
    json: values.has('json'),
    progress: choice(values, 'progress', ['auto', 'always', 'never']) ?? 'auto',
    rawlog: values.get('rawlog') ?? null,
    connectTimeoutMs: connectTimeout(values.get('connect-timeout')),
  };
}

/** What a destination is missing, in the words of the reference, with its exit status. */
export class NoReplica extends Error {
  override readonly name = 'NoReplica';
  readonly exit = 68;
}

function destinationWords(values: OptionValues, rest: readonly string[], settings: Settings): readonly string[] {
  if (values.has('default-destination') && rest.length > 0)
    throw new UsageError("Don't give mail location with -d parameter");
  if (values.has('default-destination') && rest.length === 0) {
    if (settings.mailReplica === null) throw new NoReplica('User has no mail_replica in userdb');
    return [settings.mailReplica];
  }
  if (rest.length === 0)
    throw new UsageError('the destination is missing (dsync sync [options] DESTINATION; see --help)');
  return rest;
}

function readState(values: OptionValues): { readonly state: SyncState | null; readonly stateError: string | null } {
  const text = values.get('state');
  if (text === undefined || text === '') return { state: null, stateError: null };
  const parsed = parseSyncState(text);
  return parsed.ok ? { state: parsed.state, stateError: null } : { state: null, stateError: parsed.reason };
}

function readSelection(values: OptionValues, { othersPrefixes }: Settings): Selection {
  const namespaces = values.all('namespace');
  // An unknown prefix stands for the namespace without one; this one is known, and is not that.
  const others = namespaces.find((prefix) => othersPrefixes.includes(prefix));
  if (others !== undefined)
    throw new UsageError(`-n ${others}: a namespace of type public or shared is not synchronised`);
  const mailbox = values.get('mailbox');
  const guid = values.get('mailbox-guid');
  return {
    ...optional('mailbox', mailbox),
    ...optional('mailboxGuid', guid === undefined ? undefined : readGuid(guid)),
    exclude: values.all('exclude-mailbox'),
    namespaces,
    allNamespaces: values.has('all-namespaces'),
  };
}

function readGuid(text: string): MailboxGuid | '' {
  const guid = text.toLowerCase();
  if (guid === '') return '';
  if (!isMailboxGuid(guid)) throw new UsageError(`Invalid -g parameter: ${text}`);
  return guid;
}

function readFilter(values: OptionValues, now: number): MailFilter {
  const date = (long: string, letter: string): number | undefined => {
    const text = values.get(long);
    return text === undefined ? undefined : parseDate(letter, text, now);
  };
  const since = date('sync-since-time', '-t');
  const until = date('sync-until-time', '-e');
  if (since !== undefined && until !== undefined && since > until)
    throw new UsageError('start date is later than end date');
  const size = values.get('sync-max-size');
  const flag = values.get('sync-flags');
  return {
    ...optional('since', since),
    ...optional('until', until),
    ...optional('maxSize', size === undefined ? undefined : parseSize('-I', size)),
    ...optional('flag', flag === undefined ? undefined : parseFlag('-O', flag)),
  };
}

function seconds(values: OptionValues, long: string, name: string, otherwise: number): number {
  const text = values.get(long);
  return text === undefined ? otherwise : parseSeconds(name, text);
}

/** @returns milliseconds, no more than a timer can be set for */
function connectTimeout(text: string | undefined): number {
  if (text === undefined) return CONNECT_TIMEOUT_MS;
  return Math.min(parseSeconds('--connect-timeout', text, 1) * 1000, MAX_TIMER_MS);
}

function choice<T extends string>(values: OptionValues, long: string, choices: readonly T[]): T | null {
  const text = values.get(long);
  if (text === undefined) return null;
  const known = choices.find((c) => c === text);
  if (known === undefined)
    throw new UsageError(`--${long} is one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
  return known;
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  const fields: { [P in K]?: V } = {};
  if (value !== undefined) fields[key] = value;
  return fields;
}
