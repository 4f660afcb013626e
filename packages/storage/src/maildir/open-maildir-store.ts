import fs from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';

import { hasControls } from '../control-characters.ts';
import { StoreError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { MailStore } from '../mail-store.ts';
import type { Context } from './context.ts';
import { BaseClock } from './file-name.ts';
import { makeDirectories, nearest, ownershipOf } from './files.ts';
import { Layout, type LayoutName } from './layout.ts';
import { MaildirStore } from './maildir-store.ts';
import { openJournal } from './open-journal.ts';
import { hasCur, scan } from './scan.ts';
import { makeShadow, type Shadow } from './shadow.ts';

/** Where the mail lies and how it is treated. */
export interface MaildirStoreOptions {
  /** Directory of the mail; also INBOX unless `inbox` says otherwise. Relative ones, as those below, hold from where the process is. */
  readonly root: string;
  /** Default `maildir++`. */
  readonly layout?: LayoutName;
  /** The visible hierarchy separator, one character; default `/`. */
  readonly separator?: string;
  /** Root of dovecot-uidlist, dovecot-keywords, subscriptions and dovecot-uidvalidity; default `root`. */
  readonly control?: string;
  /** Root of Dovecot's index files, of the journal and of the mailbox locks; default `root`. */
  readonly indexDir?: string;
  readonly inbox?: string;
  /** `auto`: the file `dsync-journal` in `indexDir`. */
  readonly journal: 'auto' | Journal;
  /** `off`: nothing is flushed, for throw-away copies; then no history is claimed either. */
  readonly fsync: 'on' | 'off';
  /** Makes the root if there is no mail yet; INBOX comes with the first sync. Default false. */
  readonly create?: boolean;
  /** The time in Unix seconds. */
  readonly now?: () => number;
  readonly hostname?: string;
  /** The user's home, which holds the lock of a user; default `root`. */
  readonly home?: string;
  /**
   * Only looks: nothing in the store's folders is written, made or tidied up, and nothing may be asked to. What a look
   * has to write goes to a temporary folder, which ends with the store. Default false.
   */
  readonly untouched?: boolean;
  /** One line for the log. */
  readonly warn?: (message: string) => void;
  /** Called at every step of a commit, for tests that stop there. */
  readonly checkpoint?: (step: string) => void;
}

/**
 * Opens mail kept as Maildir, in the form that Dovecot itself writes.
 * @throws {StoreError} `NotFound` if there is no mail at `root` and `create` is not set; `Permission`, `Corrupt`, …
 */
export async function openMaildirStore(options: MaildirStoreOptions): Promise<MailStore> {
  const own = layoutOf(options);
  const shadow = options.untouched === true ? makeShadow(own) : null;
  try {
    return await openStore(options, own, shadow);
  } catch (cause) {
    shadow?.[Symbol.dispose]();
    throw cause;
  }
}

async function openStore(options: MaildirStoreOptions, own: Layout, shadow: Shadow | null): Promise<MailStore> {
  const layout = shadow?.layout ?? own;
  const { roots } = layout;
  const isNew = !hasCur(roots.inbox);
  if (isNew && options.create !== true && !hasMailboxes(layout)) {
    throw new StoreError('NotFound', `no mail at ${roots.inbox}: there is no cur/ in it`);
  }
  // Nobody else's business, whatever the mode of the directory around it.
  if (isNew && shadow === null)
    makeDirectories(roots.mail, { ...ownershipOf(nearest(roots.mail)), directoryMode: 0o700, fileMode: 0o600 });
  for (const root of [roots.control, roots.index]) makeDirectories(root, ownershipOf(roots.mail));
  const now = options.now ?? (() => Date.now() / 1000);
  const host = (options.hostname ?? hostname()).replace(/[^A-Za-z0-9.-]/g, '_').slice(0, 40) || 'localhost';
  const warn = options.warn ?? (() => {});
  const context: Context = {
    layout,
    journal: await openJournal(
      options.journal,
      roots.index,
      shadow === null ? null : own.roots.index,
      shadow === null ? options.fsync : 'on',
      warn,
    ),
    fsync: options.fsync === 'on' && shadow === null,
    shadow,
    now,
    host,
    clock: new BaseClock(host, now),
    home: options.home ?? roots.mail,
    warn,
    checkpoint: options.checkpoint ?? (() => {}),
    anchors: anchorsOf([roots.mail, roots.control, roots.index, isNew ? roots.mail : roots.inbox]),
    unflushed: new Set(),
    boxes: new Map(),
  };
  try {
    if (isNew) mustBeNew(context);
  } catch (cause) {
    await context.journal[Symbol.asyncDispose]();
    throw cause;
  }
  return new MaildirStore(context);
}

function layoutOf(options: MaildirStoreOptions): Layout {
  const { layout = 'maildir++', separator = '/' } = options;
  const mail = resolve(options.root);
  const placeOf = (directory: string | undefined): string => (directory === undefined ? mail : resolve(directory));
  const [control, index, inbox] = [placeOf(options.control), placeOf(options.indexDir), placeOf(options.inbox)];
  if (Array.from(separator).length !== 1 || separator === ' ' || hasControls(separator)) {
    throw new StoreError(
      'InvalidName',
      `the hierarchy separator must be one character, not ${JSON.stringify(separator)}`,
    );
  }
  return new Layout(layout, separator, { mail, control, index, inbox });
}

function hasMailboxes(layout: Layout): boolean {
  return fs.existsSync(layout.roots.mail) && scan(layout, () => {}).mailboxes.length > 0;
}

/**
 * INBOX is not made here: one with a GUID of its own would have to be merged with the other side's.
 * @throws {StoreError} if an INBOX was there before: then its disk is missing, and an empty one must not take its place
 */
function mustBeNew({ layout, journal }: Context): void {
  if ([...journal.heads().values()].some(({ path }) => path.length === 1 && path[0] === 'INBOX')) {
    throw new StoreError('Temporary', `INBOX has vanished from ${layout.roots.inbox}: is a file system not mounted?`);
  }
}

function anchorsOf(directories: readonly string[]): string[] {
  const byDevice = new Map<number, string>();
  for (const directory of directories) {
    const device = fs.statSync(directory).dev;
    if (!byDevice.has(device)) byDevice.set(device, directory);
  }
  return [...byDevice.values()];
}
