/** A TCP relay that stops a run in the middle: from some moment on nothing is passed on until it is told to go on. */
import { connect, createServer, type Socket } from 'node:net';

import { chunksOf, listenOnFreePort } from '../../support/sockets.ts';

/** A relay to a server; disposing of it lets go first. */
export interface HoldingProxy extends AsyncDisposable {
  readonly port: number;
  /** Resolves once the run is held. */
  readonly held: Promise<void>;
  release(): void;
}

/** @param isTime asked before each piece is passed on; the run is held as soon as it says yes */
export const startHoldingProxy = async (
  targetPort: number,
  isTime: (piece: Buffer) => boolean,
): Promise<HoldingProxy> => {
  let isHeld: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    isHeld = resolve;
  });
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const sockets = new Set<Socket>();
  const pass = async (from: Socket, to: Socket): Promise<void> => {
    try {
      for await (const chunk of chunksOf(from)) {
        if (isTime(chunk)) {
          isHeld();
          await released;
        }
        to.write(chunk);
      }
      to.end();
    } catch {
      to.destroy();
    }
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: '127.0.0.1', port: targetPort, allowHalfOpen: true });
    sockets.add(client).add(target);
    void pass(client, target);
    void pass(target, client);
  });
  return {
    port: await listenOnFreePort(server),
    held,
    release,
    [Symbol.asyncDispose]: async () => {
      release();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
