/** Commands of a running Dovecot's own doveadm for one user, over its TCP service: no program has to be started for each. */
import { connect, type Socket } from 'node:net';

import { tabEscape, tabUnescape } from '@dsync/protocol';

import { DOVEADM_PASSWORD } from './dovecot-config.ts';

/** A command that Dovecot did not carry out. */
export class DoveadmFailure extends Error {}

const WAIT_MS = 20_000;

/** Commands go one after the other over one connection, which is made for the first. */
export class DoveadmCommands implements AsyncDisposable {
  readonly #port: number;
  readonly #user: string;
  #socket: Promise<LineSocket> | null = null;

  constructor(port: number, user: string) {
    this.#port = port;
    this.#user = user;
  }

  /** What the command printed, value by value. @throws {DoveadmFailure} */
  async run(command: string, ...args: readonly string[]): Promise<string[]> {
    this.#socket ??= logInPatiently(this.#port);
    const socket = await this.#socket;
    socket.write(['', this.#user, command, `-u${this.#user}`, ...args]);
    const values = await socket.line().catch(() => null);
    const reply = values === null ? 'connection closed' : await socket.line();
    if (reply === '+') return (values ?? '').split('\t').slice(0, -1).map(tabUnescape);
    await this.forget();
    throw new DoveadmFailure(`doveadm ${command} ${args.join(' ')} for ${this.#user}: ${reply}`);
  }

  /** Ends the process behind the connection: it may remember what a mailbox looked like. */
  async forget(): Promise<void> {
    const socket = await this.#socket?.catch(() => null);
    this.#socket = null;
    socket?.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.forget();
  }
}

/** A Dovecot that has just been started may close its first connections. */
async function logInPatiently(port: number, attempts = 3): Promise<LineSocket> {
  try {
    return await logIn(port);
  } catch (error) {
    if (attempts <= 1) throw error;
    return await logInPatiently(port, attempts - 1);
  }
}

async function logIn(port: number): Promise<LineSocket> {
  const socket = new LineSocket(connect({ host: '127.0.0.1', port }));
  // With minor 0 nothing is multiplexed, and values come as they are.
  socket.write(['VERSION', 'doveadm-server', '1', '0']);
  await socket.line();
  socket.write(['PLAIN', Buffer.from(`\0doveadm\0${DOVEADM_PASSWORD}`).toString('base64')]);
  const sign = await socket.line();
  if (sign !== '+') throw new DoveadmFailure(`doveadm does not let us in: ${sign}`);
  return socket;
}

/** A socket that is read line by line. */
class LineSocket {
  readonly #socket: Socket;
  #text = '';
  #wake: () => void = () => undefined;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.setTimeout(WAIT_MS, () => socket.destroy());
    socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  write(fields: readonly string[]): void {
    this.#socket.write(`${fields.map(tabEscape).join('\t')}\n`);
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      if (this.#closed) throw new DoveadmFailure('doveadm closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  end(): void {
    this.#socket.end();
  }
}
