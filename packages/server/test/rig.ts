import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLog, Daemon, parseListenAddress } from '@dsync/server';
import { loadSettings } from '@dsync/settings';

/** `doveadm_password` of every daemon here. */
export const PASSWORD = 'open sesame';

/** A daemon in this process. */
export interface Rig extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly port: number;
  /** Where the users’ folders are: `USER/Maildir`. */
  readonly mail: string;
  readonly folder: string;
}

/** A daemon of its own, on a free port, with users u1 and u2 (both empty). */
export async function startDaemon(listen = 'tcp:127.0.0.1:0', overrides: readonly string[] = []): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'dsync-server-'));
  const mail = join(folder, 'mail');
  for (const user of ['u1', 'u2']) mkdirSync(join(mail, user), { recursive: true });
  const settings = loadSettings({
    file: null,
    overrides: [`mail_location=maildir:${mail}/%u/Maildir`, `doveadm_password=${PASSWORD}`, ...overrides],
  });
  const daemon = new Daemon(settings, createLog({ program: 'test', level: 'error', format: 'text' }));
  const [name = ''] = await daemon.listen([parseListenAddress(listen.replace('FOLDER', folder))]);
  return {
    daemon,
    port: Number(name.slice(name.lastIndexOf(':') + 1)) || 0,
    mail,
    folder,
    [Symbol.asyncDispose]: async () => {
      await daemon.stopListening();
      daemon.abort();
      await daemon.sessionsEnded();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The line of the doveadm protocol that proves a password. */
export const plain = (password: string, login = 'doveadm'): string =>
  `PLAIN\t${Buffer.from(`\0${login}\0${password}`).toString('base64')}\n`;

/** A client that says what it is told, and remembers what it hears. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  #heard: Buffer = Buffer.alloc(0);
  readonly #wake: (() => void)[] = [];
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk]);
      this.#tell();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#tell();
    });
  }

  static to(port: number): RawClient {
    return new RawClient(connect({ host: '127.0.0.1', port }));
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  say(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  get heard(): string {
    return this.#heard.toString('latin1');
  }

  /** Resolves when what has been heard fits; fails when the server closes before. */
  async hears(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.heard)) {
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.heard)}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Everything that the server says until it closes. */
  async untilClosed(): Promise<string> {
    while (!this.closed) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.heard;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
