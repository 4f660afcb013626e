/** Runs one synchronisation between two stores over an in-process pipe, both roles real. */
import { createPipe, openChannel } from '@dsync/protocol';
import type { MailStore } from '@dsync/storage';
import {
  DEFAULT_OPTIONS,
  masterHandshake,
  runMaster,
  runSlave,
  slaveHandshake,
  type SlaveReport,
  type SyncOptions,
  type SyncReport,
} from '@dsync/sync';

/** @param options over the defaults */
export async function syncStores(
  starting: MailStore,
  other: MailStore,
  options: Partial<SyncOptions> = {},
  dialect: 'auto' | 'dovecot' = 'auto',
): Promise<{ readonly master: SyncReport; readonly slave: SlaveReport }> {
  const all = { ...DEFAULT_OPTIONS, ...options };
  const [a, b] = createPipe();
  const master = async (): Promise<SyncReport> => {
    await using channel = await openChannel(a, { role: 'master', handshake: masterHandshake(all, 'host'), dialect });
    return await runMaster(starting, channel, all, {}, 'host');
  };
  const slave = async (): Promise<SlaveReport> => {
    await using channel = await openChannel(b, { role: 'slave', handshake: slaveHandshake('host'), dialect });
    return await runSlave(other, channel, {}, 'host');
  };
  const [m, s] = await Promise.allSettled([master(), slave()]);
  if (m.status === 'rejected') throw m.reason;
  if (s.status === 'rejected') throw s.reason;
  return { master: m.value, slave: s.value };
}
