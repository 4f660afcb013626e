/** A way between a client and a server of the doveadm protocol that stops once, at a point of the session, for something to happen. */
import { connect, createServer, type Socket } from 'node:net';

import { pointOf, type Point } from '../../support/watch-channel.ts';

export interface Relay extends AsyncDisposable {
  readonly port: number;
}

/** The first line of its kind: a letter and a GUID. Header lines have no GUIDs. */
const SIGN: Readonly<Record<Point, { readonly from: 'client' | 'server'; readonly line: RegExp }>> = {
  'first announcement': { from: 'client', line: /B[0-9a-f]{32}\t/ },
  'first request': { from: 'server', line: /R[0-9a-f]{32}\t/ },
  'first body': { from: 'client', line: /M[0-9a-f]{32}\t/ },
};

export async function startRelay(port: number, when: string, action: () => Promise<void>): Promise<Relay> {
  const { from, line } = SIGN[pointOf(when)];
  const open = new Set<Socket>();
  const pass = async (source: Socket, sink: Socket, watched: boolean): Promise<void> => {
    let tail = '';
    let waiting = watched;
    for await (const chunk of source) {
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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
