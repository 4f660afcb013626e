/** The per-user lock of `-l`: exactly one of both ends takes it. */
import type { Channel } from '@dsync/protocol';
import { compareBytes } from '@dsync/protocol';

import type { SessionRules } from './handshake.ts';
import type { Session } from './session.ts';

/**
 * Whose part it is: the side whose host name is bytewise smaller; with equal names the master. So runs started on both
 * hosts at once exclude each other. A dry run changes nothing, so it keeps nobody out.
 * @param hostname the name that was sent in the own handshake
 */
export function whoLocks(rules: SessionRules, channel: Channel, hostname: string): 'nobody' | 'we' | 'they' {
  if (rules.lockTimeout === 0 || rules.dryRun) return 'nobody';
  const order = compareBytes(hostname, channel.peer.hostname);
  return order < 0 || (order === 0 && rules.role === 'master') ? 'we' : 'they';
}

/**
 * Does `work` under the user lock, if it is this side's part to take it.
 * @throws {StoreError} `Locked`
 */
export async function withUserLock<T>(session: Session, work: () => Promise<T>): Promise<T> {
  if (session.locker !== 'we') return await work();
  await using _lock = await session.store.lockUser(session.rules.lockTimeout * 1000);
  return await work();
}
