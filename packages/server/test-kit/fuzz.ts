/** What a stranger can say before a session, as a function of any bytes; anything but a coded error is a defect. */
import { createPipe, ProtocolError } from '@dsync/protocol';

import { acceptLogin } from '../src/login/accept-login.ts';
import { FailedLogins } from '../src/login/failed-logins.ts';

/** A wrong password is answered slowly, which would be all that there is time for; so everybody is trusted here. */
export async function fuzzLogin(input: Buffer): Promise<void> {
  const [stream, stranger] = createPipe();
  stream.on('error', () => undefined);
  stranger.on('error', () => undefined);
  stranger.resume();
  stranger.end(input);
  try {
    const { rest } = await acceptLogin(stream, {
      password: null,
      trusted: true,
      startTls: null,
      address: 'fuzz',
      near: true,
      failures: new FailedLogins(),
    });
    if (!input.subarray(input.length - rest.length).equals(rest))
      throw new Error('what follows the opening is not what was sent');
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  } finally {
    stream.destroy();
    stranger.destroy();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
