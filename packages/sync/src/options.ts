/** What a run is asked to do, after the command line or the handshake has been checked. */
import type { MailboxGuid } from '@dsync/protocol';

import type { SyncState } from './state/sync-state.ts';

/** `sync`, `backup` and `sync -1`. */
export type Mode = 'two-way' | 'backup' | 'one-way';

/** Full `-f`, changed (default), state (`-s` with a state). */
export type Algorithm = 'full' | 'changed' | 'state';

/** Which mailboxes a run looks at; each side applies it to its own names (docs/tree-merge.md, "Selection"). */
export interface Selection {
  /** `-m`: LIST pattern (`*`, `%`) or `\Special`; empty: tree only. */
  readonly mailbox?: string;
  /** `-g`; empty: tree only. */
  readonly mailboxGuid?: MailboxGuid | '';
  /** `-x`: masks (`*`, `?`) or `\Special`. */
  readonly exclude: readonly string[];
  /** `-n`: namespace prefixes. */
  readonly namespaces: readonly string[];
  /** `-N`. */
  readonly allNamespaces: boolean;
  /** The one of them that has INBOX, where it is not called `INBOX` itself. */
  readonly inboxNamespace?: string;
}

/** `-t`, `-e`, `-I`, `-O`: all given conditions must hold. */
export interface MailFilter {
  /** Unix seconds, inclusive. */
  readonly since?: number;
  readonly until?: number;
  /** Bytes with CRLF line ends, inclusive. */
  readonly maxSize?: number;
  /** A system flag (with backslash) or keyword; `-` in front: must not have it. */
  readonly flag?: string;
}

/** What a run does, whichever end it is started at. */
export interface SyncOptions {
  readonly mode: Mode;
  /** `-R`: source and destination of backup and one-way exchanged. */
  readonly reverse: boolean;
  readonly algorithm: Algorithm;
  /** The state given with `-s`; null: none given. */
  readonly state: SyncState | null;
  readonly selection: Selection;
  readonly filter: MailFilter;
  /** `-l`, seconds; 0: no user lock. */
  readonly lockTimeout: number;
  /** `-T`, seconds without traffic before the run gives up. */
  readonly stallTimeout: number;
  readonly dryRun: boolean;
  readonly debug: boolean;
  /** `dsync_alt_char`, one character. */
  readonly altChar: string;
  /** `dsync_hashed_headers`. */
  readonly hashedHeaders: readonly string[];
  /** `-a`. */
  readonly virtualAllMailbox?: string;
  /** `-P`. */
  readonly purgeRemote: boolean;
  /** `--fsync off` for the other side. */
  readonly noFsync: boolean;
}

/** A two-way run without any option, with Dovecot's defaults. */
export const DEFAULT_OPTIONS: SyncOptions = {
  mode: 'two-way',
  reverse: false,
  algorithm: 'changed',
  state: null,
  selection: { exclude: [], namespaces: [], allNamespaces: false },
  filter: {},
  lockTimeout: 0,
  stallTimeout: 600,
  dryRun: false,
  debug: false,
  altChar: '_',
  hashedHeaders: ['Date', 'Message-ID'],
  purgeRemote: false,
  noFsync: false,
};
