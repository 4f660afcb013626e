/** A way between a client and a server of the doveadm protocol that stops once, at a point of the session, for something to happen. */
import { connect, createServer, type Socket } from 'node:net';

import { chunksOf, listenOnFreePort } from '../../support/sockets.ts';
import { pointOf, type Point } from '../../support/watch-channel.ts';

/** It listens on loopback. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
}

/** The first line of its kind: a letter and a GUID. Header lines have no GUIDs. */
const SIGN: Readonly<Record<Point, { readonly from: 'client' | 'server'; readonly line: RegExp }>> = {
  'first announcement': { from: 'client', line: /B[0-9a-f]{32}\t/ },
  'first request': { from: 'server', line: /R[0-9a-f]{32}\t/ },
  'first body': { from: 'client', line: /M[0-9a-f]{32}\t/ },
};

/** @param when the point at which `action` happens, as scenarios name it */
export async function startRelay(port: number, when: string, action: () => Promise<void>): Promise<Relay> {
  const { from, line } = SIGN[pointOf(when)];
  const open = new Set<Socket>();
  const pass = async (source: Socket, sink: Socket, watched: boolean): Promise<void> => {
    let tail = '';
    let waiting = watched;
    for await (const chunk of chunksOf(source)) {
      if (waiting) {
        tail = `${tail.slice(-40)}${chunk.toString('latin1')}`;
        if (line.test(tail)) {
          waiting = false;
          await action();
        }
      }
      sink.write(chunk);
    }
    sink.end();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, far]) {
      open.add(socket);
      socket.on('error', () => undefined);
    }
    void Promise.allSettled([pass(client, far, from === 'client'), pass(far, client, from === 'server')]);
  });
  return {
    port: await listenOnFreePort(server),
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
