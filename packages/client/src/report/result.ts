/** The result of a run as the object of `--json`. Scripts read it: names stay, new ones may come. */
import type { DescribedError } from '@dsync/server';
import type { OptionValues } from '@dsync/settings';
import { printSyncState, type MailCounts, type SyncReport, type TreeCounts } from '@dsync/sync';

import type { SyncRequest } from '../command-line/sync-request.ts';
import { planOf, type PlanObject } from './plan.ts';

type Counts = MailCounts & TreeCounts;

/** One user's run. `local` is the side that started it, `remote` the other one. */
export interface Result {
  readonly user: string;
  readonly mode: 'sync' | 'backup' | 'oneway';
  readonly algorithm: 'full' | 'changed' | 'state';
  readonly dialect: 'native' | 'dovecot' | null;
  readonly result: 'ok' | 'changed' | 'error';
  readonly exitCode: number;
  readonly dryRun: boolean;
  /** Empty: the next run must be a full one (or it was a dry run, which makes nothing common). */
  readonly state: string;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly totals: { readonly local: Counts; readonly remote: Counts };
  readonly mailboxes: readonly {
    readonly name: string;
    readonly guid: string;
    readonly local: MailCounts;
    readonly remote: MailCounts;
  }[];
  readonly plan?: PlanObject;
  readonly warnings: readonly string[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What a report does not say of its run. */
export interface RunFacts {
  readonly request: SyncRequest;
  readonly separator: string;
  readonly durationMs: number;
}

const NOTHING: Counts = {
  saved: 0,
  copied: 0,
  flagged: 0,
  expunged: 0,
  renumbered: 0,
  mailboxesCreated: 0,
  mailboxesRenamed: 0,
  mailboxesDeleted: 0,
  subscriptions: 0,
};

const MODES = { 'two-way': 'sync', backup: 'backup', 'one-way': 'oneway' } as const;

function common(facts: RunFacts): Pick<Result, 'user' | 'mode' | 'algorithm' | 'dryRun' | 'durationMs'> {
  const { options, user } = facts.request;
  return {
    user,
    mode: MODES[options.mode],
    algorithm: options.algorithm,
    dryRun: options.dryRun,
    durationMs: facts.durationMs,
  };
}

/** A state that cannot be read costs a full run, no more. */
export function stateWarning(reason: string): string {
  return `Invalid -s state: ${reason}; all mailboxes are compared in full`;
}

/**
 * The result of a run that came to its end: exit status 0, or 2 if something unexpected happened.
 * @param warnings what the log has said so far, in the programs' own words
 */
export function resultOf(report: SyncReport, facts: RunFacts, warnings: readonly string[]): Result {
  const changed = report.unexpected.length > 0;
  return {
    ...common(facts),
    dialect: report.dialect,
    result: changed ? 'changed' : 'ok',
    exitCode: changed ? 2 : 0,
    state: report.state === null || report.dryRun ? '' : printSyncState(report.state),
    bytesIn: report.bytesIn,
    bytesOut: report.bytesOut,
    totals: { local: report.local, remote: report.remote },
    mailboxes: report.mailboxes.map(({ path, guid, local, remote }) => ({
      name: path.join(facts.separator),
      guid,
      local,
      remote,
    })),
    ...(report.dryRun ? { plan: planOf(report, facts.separator) } : {}),
    warnings: [...new Set([...warnings, ...report.warnings, ...report.unexpected])],
    error: null,
  };
}

/** The result of a run that failed, of whose counts and bytes nothing is known. */
export function resultOfError(error: DescribedError, facts: RunFacts, warnings: readonly string[]): Result {
  return { ...failed(error, common(facts)), warnings };
}

/** Of a command line or settings that no run could be made of. */
export function resultOfMisuse(error: DescribedError, command: 'sync' | 'backup', options: OptionValues): Result {
  return failed(error, {
    user: options.get('user') ?? process.env['USER'] ?? '',
    mode: command === 'backup' ? 'backup' : options.has('oneway-sync') ? 'oneway' : 'sync',
    algorithm: options.has('full-sync') ? 'full' : (options.get('state') ?? '') === '' ? 'changed' : 'state',
    dryRun: options.has('dry-run'),
    durationMs: 0,
  });
}

function failed(error: DescribedError, facts: ReturnType<typeof common>): Result {
  return {
    ...facts,
    dialect: null,
    result: 'error',
    exitCode: error.exit,
    state: '',
    bytesIn: 0,
    bytesOut: 0,
    totals: { local: NOTHING, remote: NOTHING },
    mailboxes: [],
    warnings: [],
    error: { code: error.code, message: error.message },
  };
}

/** One line; modseqs and other big numbers become plain numbers. */
export function printJson(result: Result): string {
  return `${JSON.stringify(result, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}\n`;
}
