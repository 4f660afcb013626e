import fs from 'node:fs';
import { join } from 'node:path';

import type { MailboxPath } from '@dsync/protocol';

import { isAbandonedLock, takeDotlock } from '../dotlock.ts';
import { pathKey } from '../paths.ts';
import type { Context } from './context.ts';
import { attempt, makeDirectories, ownershipOf, readText, replaceFile, type Ownership } from './files.ts';
import { parseSubscriptions, printSubscriptions, type Subscriptions } from './subscriptions.ts';

const FILE = 'subscriptions';
const LOCK_TIMEOUT_MS = 120_000;

/** @throws {StoreError} if the file is there and cannot be read */
export function readSubscriptions({ layout }: Context): Subscriptions {
  const text = readText(join(layout.roots.control, FILE));
  return text === null ? { version: 2, paths: [], unreadable: [] } : parseSubscriptions(text, layout.storageSeparator);
}

/** Returns whether it was otherwise before. @throws {StoreError} */
export async function writeSubscription(context: Context, path: MailboxPath, subscribed: boolean): Promise<boolean> {
  const { layout } = context;
  const { control, mail } = layout.roots;
  makeDirectories(control, ownershipOf(mail));
  const file = join(control, FILE);
  const owner = ownershipOf(control);
  await using _lock = await lock(context, owner);
  const now = readSubscriptions(context);
  const key = pathKey(path);
  const others = now.paths.filter((other) => pathKey(other) !== key);
  if (others.length < now.paths.length === subscribed) return false;
  replaceFile(
    file,
    `${file}.tmp`,
    printSubscriptions({ ...now, paths: subscribed ? [...others, path] : others }, layout.storageSeparator),
    owner,
  );
  context.unflushed.add(file).add(control);
  return fs.existsSync(file);
}

/** Removes what a run left that was killed while it wrote the file. @throws {StoreError} */
export async function tidySubscriptions(context: Context): Promise<void> {
  const { control } = context.layout.roots;
  const file = join(control, FILE);
  if (!isAbandonedLock(`${file}.lock`, context.host)) return;
  await using _lock = await lock(context, ownershipOf(control));
  attempt(() => fs.rmSync(`${file}.tmp`, { force: true }));
}

/** Not `.lock` itself as the new file: the lock must outlive the rename of what is written. */
function lock({ layout, host }: Context, { uid, gid }: Ownership): Promise<AsyncDisposable> {
  const guards = join(layout.roots.control, FILE);
  return takeDotlock(`${guards}.lock`, {
    host,
    timeoutMs: LOCK_TIMEOUT_MS,
    what: 'the subscriptions',
    guards,
    uid,
    gid,
  });
}
