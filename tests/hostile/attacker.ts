/** A peer that opens a session as it should, over TCP and at either end, and then does what it likes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import {
  type Channel,
  joinStreams,
  LineInput,
  openChannel,
  printCommandLine,
  printPlainLine,
  printVersionLine,
} from '@dsync/protocol';
import { DEFAULT_OPTIONS, masterHandshake, slaveHandshake } from '@dsync/sync';

import { PASSWORD } from './programs.ts';

/** What a peer does once its session is open. */
export interface Attack {
  readonly dialect: 'native' | 'dovecot';
  /** Changes what is sent to the victim. */
  readonly change?: (chunk: Buffer) => Buffer;
  /** With the session open: messages by the channel, anything else by its carrier. */
  readonly run: (channel: Channel, carrier: Duplex) => Promise<void>;
}

const HOST = 'attacker.example.com';
const LIMITS = { maxLine: 10_000, maxBytes: 100_000, deadlineMs: 20_000 };

/** Plays the server of a client that has connected. */
export async function playServer(socket: Socket, attack: Attack): Promise<void> {
  const input = new LineInput(socket, LIMITS);
  socket.write('-\n');
  // VERSION, the login, and what is wanted.
  await input.line();
  await input.line();
  socket.write('+\n');
  await input.line();
  socket.write('\n+\n');
  await attackOver(socket, input, 'slave', attack);
}

/** Logs in to a server, as a peer that knows the password. */
export async function playClient(port: number, user: string, attack: Attack): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const input = new LineInput(socket, LIMITS);
  socket.write(printVersionLine('doveadm-server', 0));
  await input.line();
  socket.write(printPlainLine(PASSWORD));
  await input.line();
  socket.write(
    printCommandLine({ debug: false, verbose: false, user, command: 'dsync-server', args: [`-u${user}`, '-T1'] }),
  );
  await input.line();
  await input.line();
  await attackOver(socket, input, 'master', attack);
}

async function attackOver(
  socket: Socket,
  input: LineInput,
  role: 'master' | 'slave',
  { dialect, change, run }: Attack,
): Promise<void> {
  const carrier = joinStreams(socket, socket, { first: input.release() });
  if (change !== undefined) {
    const write = socket.write.bind(socket);
    // One place through which everything goes.
    socket.write = (chunk: Buffer, ...rest: []) => write(change(chunk), ...rest);
  }
  try {
    const channel = await openChannel(carrier, {
      role,
      dialect,
      compress: false,
      handshake:
        role === 'master' ? masterHandshake({ ...DEFAULT_OPTIONS, algorithm: 'full' }, HOST) : slaveHandshake(HOST),
    });
    await run(channel, carrier);
  } catch {
    // The victim has had enough.
  }
}
