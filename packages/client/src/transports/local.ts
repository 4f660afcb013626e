/** A second store in this process: both roles run here, over a pipe. */
import { asError, createPipe } from '@dsync/protocol';
import { serveSession, type Log, type OpenStore } from '@dsync/server';
import type { Settings } from '@dsync/settings';

import type { Connection } from './connection.ts';

/** @param openStore opens the other side, which is closed with the connection */
export function connectLocal(settings: Settings, openStore: OpenStore, stallTimeoutMs: number, log: Log): Connection {
  const [ours, theirs] = createPipe();
  let failure: Error | null = null;
  const served = serveSession(settings, openStore, theirs, { stallTimeoutMs, near: true, log }).then(
    () => undefined,
    (error: unknown) => {
      failure = asError(error);
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
