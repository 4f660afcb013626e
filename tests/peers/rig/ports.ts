/** Loopback ports that nobody uses at the moment of asking. */
import { createServer } from 'node:net';

/** @returns that many different free ports of 127.0.0.1; all are held until the last is found, so none is given twice */
export const freePorts = async (count: number): Promise<number[]> => {
  const holders = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const holder of holders) {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', reject);
      holder.listen(0, '127.0.0.1', resolve);
    });
    const address = holder.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP listener without a port');
    ports.push(address.port);
  }
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
};
