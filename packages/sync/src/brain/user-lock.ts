/** The per-user lock of `-l`: exactly one of both ends takes it (dovecot-wire.md §7). */
import { compareBytes } from '@dsync/protocol';

import type { Session } from './session.ts';

/**
 * Does `work` under the user lock, if the run asks for one and it is this side's part to take it: the side whose host
 * name is bytewise smaller; with equal names the master. So runs started on both hosts at once exclude each other.
 * @throws {StoreError} `Locked`
 */
export async function withUserLock<T>(session: Session, hostname: string, work: () => Promise<T>): Promise<T> {
  const { rules, store, channel } = session;
  const order = compareBytes(hostname, channel.peer.hostname);
  const ours = order < 0 || (order === 0 && rules.role === 'master');
  if (rules.lockTimeout === 0 || !ours || rules.dryRun) return await work();
  await using _lock = await store.lockUser(rules.lockTimeout * 1000);
  return await work();
}
