/** A second store in this process: both roles run here, over a pipe. */
import { createPipe } from '@dsync/protocol';
import { serveSession, type Log } from '@dsync/server';
import type { Settings } from '@dsync/settings';
import type { MailStore } from '@dsync/storage';

import type { Connection } from './connection.ts';

/** @param store the other side; closed with the connection */
export function connectLocal(settings: Settings, store: MailStore, stallTimeoutMs: number, log: Log): Connection {
  const [ours, theirs] = createPipe();
  let failure: Error | null = null;
  const served = serveSession(settings, store, theirs, { stallTimeoutMs, near: true, log }).then(
    () => undefined,
    (error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    },
  );
  return {
    carrier: ours,
    distant: false,
    close: async () => {
      if (!ours.destroyed) ours.destroy();
      await served;
      if (failure !== null) throw failure;
      return null;
    },
  };
}
