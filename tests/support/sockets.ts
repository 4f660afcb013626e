import type { Server, Socket } from 'node:net';

/** Listens on a free loopback port. @returns the port */
export async function listenOnFreePort(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** What comes in on a socket without an encoding. */
export async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  for await (const chunk of socket) if (Buffer.isBuffer(chunk)) yield chunk;
}
