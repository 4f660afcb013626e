/** An IMAP client that shows what is on the wire: enough to judge a store, and to be a user who watches a mailbox. */
import { connect, type Socket } from 'node:net';

import { IMAP_PASSWORD } from './dovecot-config.ts';

/** One response line; literals stand in `literals` in order, and as `{n}` in `line`. */
export interface ImapResponse {
  readonly line: string;
  readonly literals: readonly Buffer[];
}

/** Splits the bytes of a connection into responses. */
class ResponseReader {
  #pending = Buffer.alloc(0);
  #line = '';
  #literals: Buffer[] = [];

  push(chunk: Buffer): ImapResponse[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const responses: ImapResponse[] = [];
    for (;;) {
      const end = this.#pending.indexOf('\r\n');
      if (end < 0) return responses;
      const text = this.#pending.toString('utf8', 0, end);
      const literal = /\{(\d+)\}$/.exec(text);
      const size = literal === null ? 0 : Number(literal[1]);
      if (this.#pending.length < end + 2 + size) return responses;
      this.#line += text;
      if (literal !== null) this.#literals.push(Buffer.from(this.#pending.subarray(end + 2, end + 2 + size)));
      this.#pending = this.#pending.subarray(end + 2 + size);
      if (literal !== null) continue;
      responses.push({ line: this.#line, literals: this.#literals });
      this.#line = '';
      this.#literals = [];
    }
  }
}

type Listener = (response: ImapResponse) => boolean;

/** One connection, logged in. A command that is refused throws. */
export class ImapClient implements AsyncDisposable {
  readonly #socket: Socket;
  /** Every response that came, in order. */
  readonly responses: ImapResponse[] = [];
  readonly #listeners = new Set<Listener>();
  #lastTag = 0;
  #failure: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new ResponseReader();
    socket.on('data', (chunk: Buffer) => {
      for (const response of reader.push(chunk)) this.#take(response);
    });
    socket.on('error', (error) => (this.#failure = error));
    socket.on('close', () => (this.#failure ??= new Error('the IMAP server closed the connection')));
  }

  static async login(port: number, user: string): Promise<ImapClient> {
    const socket = connect({ host: '127.0.0.1', port });
    const client = new ImapClient(socket);
    await client.#wait((response) => response.line.startsWith('* OK'), 'the greeting');
    await client.command(`LOGIN ${user} ${IMAP_PASSWORD}`);
    return client;
  }

  #take(response: ImapResponse): void {
    this.responses.push(response);
    for (const listener of this.#listeners) if (listener(response)) this.#listeners.delete(listener);
  }

  /** Waits for a response that comes from now on. @throws {Error} after 20 s, naming what was waited for */
  #wait(matches: (response: ImapResponse) => boolean, what: string): Promise<ImapResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const last = this.responses.slice(-5).map((response) => response.line);
        reject(this.#failure ?? new Error(`no ${what} within 20 s; last came ${JSON.stringify(last)}`));
      }, 20_000);
      this.#listeners.add((response) => {
        if (!matches(response)) return false;
        clearTimeout(timer);
        resolve(response);
        return true;
      });
    });
  }

  /** Waits until a response that has come since `from` (an index of `responses`) or that is to come matches. */
  async until(pattern: RegExp, from = 0): Promise<ImapResponse> {
    const known = this.responses.slice(from).find((response) => pattern.test(response.line));
    return known ?? this.#wait((response) => pattern.test(response.line), String(pattern));
  }

  /**
   * Sends one command and returns the untagged responses up to its end.
   * @throws {Error} if the server does not answer OK
   */
  async command(text: string, literal?: Buffer): Promise<ImapResponse[]> {
    this.#lastTag += 1;
    const tag = `a${this.#lastTag}`;
    const from = this.responses.length;
    const ended = this.#wait((response) => response.line.startsWith(`${tag} `), `end of ${text}`);
    if (literal === undefined) {
      this.#socket.write(`${tag} ${text}\r\n`);
    } else {
      this.#socket.write(`${tag} ${text} {${literal.length}+}\r\n`);
      this.#socket.write(literal);
      this.#socket.write('\r\n');
    }
    const end = await ended;
    if (!end.line.startsWith(`${tag} OK`)) throw new Error(`IMAP: ${text}: ${end.line}`);
    return this.responses.slice(from, -1);
  }

  /** Begins IDLE; the returned function ends it. */
  async idle(): Promise<() => Promise<void>> {
    this.#lastTag += 1;
    const tag = `a${this.#lastTag}`;
    const accepted = this.#wait((response) => response.line.startsWith('+'), 'start of IDLE');
    this.#socket.write(`${tag} IDLE\r\n`);
    await accepted;
    return async () => {
      const ended = this.#wait((response) => response.line.startsWith(`${tag} `), 'end of IDLE');
      this.#socket.write('DONE\r\n');
      await ended;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.end('z LOGOUT\r\n');
    const timer = setTimeout(() => this.#socket.destroy(), 2000);
    await closed;
    clearTimeout(timer);
  }
}
