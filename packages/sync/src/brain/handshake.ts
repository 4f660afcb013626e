/**
 * Options as they travel in the handshake. Every flag is written from the slave's point of view, as in Dovecot:
 * `backupReceive` means "you are the destination".
 */
import type { MessageOf, Peer } from '@dsync/protocol';
import { isMailboxGuid, ProtocolError } from '@dsync/protocol';

import { mayUseCommon } from '../mails/plan-mails.ts';
import {
  DEFAULT_OPTIONS,
  type Algorithm,
  type MailFilter,
  type Mode,
  type Selection,
  type SyncOptions,
} from '../options.ts';

/** A session's rules as both ends see them; `localIs` is the own part in backup and one-way runs. */
export interface SessionRules {
  readonly role: 'master' | 'slave';
  readonly mode: Mode;
  readonly localIs: 'source' | 'destination' | 'peer';
  readonly algorithm: Algorithm;
  readonly selection: Selection;
  /** Trees only, no mails (`-m ''`, `-g ''`). */
  readonly noMails: boolean;
  readonly filter: MailFilter;
  /** Seconds; 0: no user lock. */
  readonly lockTimeout: number;
  readonly dryRun: boolean;
  readonly altChar: string;
  /** The headers by which mails are recognised between stores that cannot share GUIDs. */
  readonly hashedHeaders: readonly string[];
}

/** The first message of a side that serves. */
export function slaveHandshake(hostname: string): MessageOf<'handshake'> {
  return { kind: 'handshake', hostname, hashedHeaders: [] };
}

/**
 * The first message of the side that starts a run, for the dialect that the peer speaks. Dovecot's text has no dry run:
 * there the peer is asked as the source of a backup, which changes nothing of its own (dry-run.ts).
 */
export function masterHandshake(
  options: SyncOptions,
  hostname: string,
): (dialect: Peer['dialect']) => MessageOf<'handshake'> {
  return (dialect) =>
    options.dryRun && dialect === 'dovecot'
      ? handshakeOf({ ...options, ...AS_A_QUESTION, algorithm: questionAlgorithm(options) }, hostname)
      : handshakeOf({ ...options, algorithm: effectiveAlgorithm(options) }, hostname);
}

const AS_A_QUESTION = { mode: 'backup', reverse: true, purgeRemote: false, lockTimeout: 0 } as const;

/** Numbers alone must not end a conversation, since the own ones are not told; a state is told as in the run itself. */
function questionAlgorithm(options: SyncOptions): Algorithm {
  const algorithm = effectiveAlgorithm(options);
  return algorithm === 'changed' ? 'full' : algorithm;
}

function handshakeOf(options: SyncOptions, hostname: string): MessageOf<'handshake'> {
  const { selection, filter } = options;
  const oneSided = options.mode !== 'two-way';
  return {
    kind: 'handshake',
    hostname,
    sendMailRequests: true,
    algorithm: LETTER[options.algorithm],
    hashedHeaders: options.hashedHeaders,
    altChar: options.altChar,
    ...flag('debug', options.debug),
    ...flag('backupReceive', oneSided && !options.reverse),
    ...flag('backupSend', oneSided && options.reverse),
    ...flag('noBackupOverwrite', options.mode === 'one-way'),
    ...flag('noMailSync', isTreeOnly(selection)),
    ...flag('allNamespaces', selection.allNamespaces),
    ...flag('purgeRemote', options.purgeRemote),
    ...flag('dryRun', options.dryRun),
    ...flag('noFsync', options.noFsync),
    ...(options.lockTimeout > 0 ? { lockTimeout: options.lockTimeout } : {}),
    ...(selection.mailbox ? { mailbox: selection.mailbox } : {}),
    ...(selection.mailboxGuid ? { mailboxGuid: selection.mailboxGuid } : {}),
    ...(selection.exclude.length > 0 ? { excludeMailboxes: selection.exclude } : {}),
    ...(selection.namespaces.length > 0 ? { namespacePrefixes: selection.namespaces } : {}),
    ...(filter.since ? { since: BigInt(filter.since) } : {}),
    ...(filter.until ? { until: BigInt(filter.until) } : {}),
    ...(filter.maxSize === undefined ? {} : { maxSize: BigInt(filter.maxSize) }),
    ...(filter.flag ? { flagFilter: filter.flag } : {}),
    ...(options.virtualAllMailbox === undefined ? {} : { virtualAllMailbox: options.virtualAllMailbox }),
  };
}

/** The master's rules, from its own options. */
export function masterRules(options: SyncOptions): SessionRules {
  return {
    role: 'master',
    mode: options.mode,
    localIs: options.mode === 'two-way' ? 'peer' : options.reverse ? 'destination' : 'source',
    algorithm: effectiveAlgorithm(options),
    selection: options.selection,
    noMails: isTreeOnly(options.selection),
    filter: options.filter,
    lockTimeout: options.lockTimeout,
    dryRun: options.dryRun,
    altChar: options.altChar,
    hashedHeaders: orDefault(options.hashedHeaders),
  };
}

/** A Dovecot that is told none dies; the Dovecot dialect names the same ones then. */
function orDefault(hashedHeaders: readonly string[] | undefined): readonly string[] {
  return hashedHeaders === undefined || hashedHeaders.length === 0 ? DEFAULT_OPTIONS.hashedHeaders : hashedHeaders;
}

/**
 * The slave's rules, from the master's handshake.
 * @throws {ProtocolError} `BadValue` where fields contradict each other
 */
export function slaveRules(handshake: MessageOf<'handshake'>): SessionRules {
  if (handshake.backupReceive && handshake.backupSend) {
    throw new ProtocolError('BadValue', 'the peer wants us to be source and destination of one backup');
  }
  const oneSided = handshake.backupReceive === true || handshake.backupSend === true;
  if (handshake.mailboxGuid !== undefined && !isMailboxGuid(handshake.mailboxGuid)) {
    throw new ProtocolError('BadValue', 'the peer selects a mailbox by something that is no GUID');
  }
  const altChar = handshake.altChar ?? '_';
  if (altChar.length !== 1 || altChar < ' ')
    throw new ProtocolError('BadValue', 'the peer’s alt_char is not one printable character');
  return {
    role: 'slave',
    mode: oneSided ? (handshake.noBackupOverwrite ? 'one-way' : 'backup') : 'two-way',
    localIs: handshake.backupReceive ? 'destination' : handshake.backupSend ? 'source' : 'peer',
    algorithm: handshake.algorithm === 'c' ? 'changed' : handshake.algorithm === 's' ? 'state' : 'full',
    selection: {
      ...(handshake.mailbox === undefined ? {} : { mailbox: handshake.mailbox }),
      ...(handshake.mailboxGuid === undefined ? {} : { mailboxGuid: handshake.mailboxGuid }),
      exclude: handshake.excludeMailboxes ?? [],
      namespaces: handshake.namespacePrefixes ?? [],
      allNamespaces: handshake.allNamespaces === true,
    },
    noMails: handshake.noMailSync === true,
    filter: filterOf(handshake),
    lockTimeout: handshake.lockTimeout ?? 0,
    dryRun: handshake.dryRun === true,
    altChar,
    hashedHeaders: orDefault(handshake.hashedHeaders),
  };
}

function filterOf(handshake: MessageOf<'handshake'>): MailFilter {
  const number = (value: bigint | undefined, what: string): number | undefined => {
    if (value === undefined) return undefined;
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new ProtocolError('BadValue', `the peer’s ${what} is out of range`);
    return Number(value);
  };
  const since = number(handshake.since, 'date filter');
  const until = number(handshake.until, 'date filter');
  const maxSize = number(handshake.maxSize, 'size filter');
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(handshake.flagFilter === undefined ? {} : { flag: handshake.flagFilter }),
  };
}

/** What a filter has to know of each mail. */
export interface FactsNeeded {
  readonly date: boolean;
  readonly size: boolean;
}

/** Received dates for `-t` and `-e`, sizes for `-I`. */
export function factsNeeded({ since, until, maxSize }: MailFilter): FactsNeeded {
  return { date: since !== undefined || until !== undefined, size: maxSize !== undefined };
}

/** Whether the filter needs each mail's received date or size. */
export function needsFacts(filter: MailFilter): boolean {
  const { date, size } = factsNeeded(filter);
  return date || size;
}

/** Whether some mails are outside. */
export function isFiltering(filter: MailFilter): boolean {
  return needsFacts(filter) || filter.flag !== undefined;
}

const LETTER = { full: 'f', changed: 'c', state: 's' } as const satisfies Record<Algorithm, string>;

/** `-f` wins over `-s`; a state is needed for the stateful algorithm, and a run that has a use for it. */
function effectiveAlgorithm(options: SyncOptions): Algorithm {
  if (options.algorithm === 'full') return 'full';
  const usesState = options.algorithm === 'state' && options.state !== null && mayUseCommon(options);
  return usesState ? 'state' : 'changed';
}

function isTreeOnly(selection: Selection): boolean {
  return selection.mailbox === '' || selection.mailboxGuid === '';
}

function flag<K extends string>(name: K, on: boolean): { readonly [P in K]?: true } {
  const fields: { [P in K]?: true } = {};
  if (on) fields[name] = true;
  return fields;
}
