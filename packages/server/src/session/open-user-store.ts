/** A user's mail as one store: a driver for each location, under their prefixes. */
import { accessSync, constants, existsSync } from 'node:fs';

import { SettingsError, type ExpandedLocation, type MailUser, type UserNamespace } from '@dsync/settings';
import {
  createMemoryStore,
  openMaildirStore,
  openNamespacedStore,
  StoreError,
  type MailStore,
  type Namespace,
} from '@dsync/storage';

/** How a store is opened. */
export interface StoreOptions {
  /** Writes wait for the disk. */
  readonly fsync: boolean;
  /** Folder of the user lock; null: the mail folder. */
  readonly home: string | null;
  /** Nothing is changed, and no file made: mail that is not there yet stays so, and counts as empty. */
  readonly dryRun: boolean;
  /** The source of a backup, of which nothing is made either: a mistyped one must not look like an account without mail. */
  readonly isBackedUp: boolean;
  /** The hierarchy separator; null: the layout's own. */
  readonly separator: string | null;
  /** Gets one line for each thing that was found wrong and could be mended. */
  readonly warn: (text: string) => void;
}

/** Drivers by the word before the colon. */
const DRIVERS: Readonly<Record<string, (location: ExpandedLocation, options: StoreOptions) => Promise<MailStore>>> = {
  maildir: openMaildir,
};

/**
 * Opens the store at one location.
 * @throws {SettingsError} `BadValue` for a driver or layout that we do not have; {StoreError} as the driver
 */
export async function openLocation(location: ExpandedLocation, options: StoreOptions): Promise<MailStore> {
  const open = DRIVERS[location.driver];
  if (open === undefined) {
    throw new SettingsError(
      'BadValue',
      `no driver for ${location.driver}: mail (there is: ${Object.keys(DRIVERS).join(', ')})`,
    );
  }
  return await open(location, options);
}

async function openMaildir(location: ExpandedLocation, options: StoreOptions): Promise<MailStore> {
  const layout = location.layout ?? 'maildir++';
  if (layout !== 'maildir++' && layout !== 'fs')
    throw new SettingsError('BadValue', `maildir has the layouts maildir++ and fs, not ${layout}`);
  const separator = options.separator ?? (layout === 'fs' ? '/' : '.');
  const place = location.inbox ?? location.path;
  if ((options.dryRun || options.isBackedUp) && !existsSync(place))
    return createMemoryStore({ separator, missingAt: place });
  return await openMaildirStore({
    root: location.path,
    layout,
    separator,
    journal: 'auto',
    // As Dovecot does for a user's first mail; the store itself refuses if there was mail before that has vanished.
    create: true,
    untouched: options.dryRun,
    fsync: options.fsync ? 'on' : 'off',
    warn: options.warn,
    ...(location.control === null ? {} : { control: location.control }),
    ...(location.index === null ? {} : { indexDir: location.index }),
    ...(location.inbox === null ? {} : { inbox: location.inbox }),
    ...(options.home === null ? {} : { home: options.home }),
  });
}

/**
 * Opens everything that a user has.
 * @throws as `openLocation`
 */
export async function openUserStore(
  user: MailUser,
  options: Pick<StoreOptions, 'fsync' | 'dryRun' | 'isBackedUp' | 'warn'>,
): Promise<MailStore> {
  const separator = user.namespaces.find((n) => n.separator !== null)?.separator ?? null;
  const distinct = withoutAliases(user.namespaces);
  const [only] = distinct;
  if (distinct.length === 1 && only !== undefined && only.prefix === '') {
    return await openLocation(only.location, { ...options, home: user.home, separator: only.separator });
  }
  const open: Namespace[] = [];
  try {
    for (const namespace of distinct) {
      const store = await openLocation(namespace.location, {
        ...options,
        home: user.home,
        separator: namespace.separator ?? separator,
      });
      open.push({ ...namespace, separator: store.separator, store });
    }
    return openNamespacedStore(open);
  } catch (error) {
    for (const { store } of open) await store[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Looks whether this process may use a mail folder, before a peer is told that a session begins.
 * @throws {StoreError} `Permission`
 */
export function checkAccess({ path }: ExpandedLocation): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const denied = StoreError.from(error, `cannot use ${path}`);
    if (denied.code === 'Permission') throw denied;
  }
}

/** Several namespaces can show the same mail, for old clients' sake; it is synchronised once, where INBOX is. */
function withoutAliases(namespaces: readonly UserNamespace[]): readonly UserNamespace[] {
  const ordered = namespaces.toSorted(
    (a, b) => Number(b.inbox) - Number(a.inbox) || Number(a.hidden) - Number(b.hidden),
  );
  const seen = new Set<string>();
  const distinct: UserNamespace[] = [];
  for (const namespace of ordered) {
    if (seen.has(namespace.location.path)) continue;
    seen.add(namespace.location.path);
    distinct.push(namespace);
  }
  if (distinct.length === 0) throw new StoreError('NotFound', 'no namespace is configured');
  return distinct;
}
