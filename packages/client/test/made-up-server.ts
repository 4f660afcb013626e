import { Duplex } from 'node:stream';

import { openSession, type LoginOptions } from '@dsync/client';

/** A doveadm server that says all it ever says at once, and what it hears. */
export class MadeUpServer extends Duplex {
  /** One letter for each byte. */
  sent = '';
  readonly logs: string[] = [];

  constructor(says: Buffer) {
    super({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.sent += chunk.toString('latin1');
        done();
      },
    });
    this.push(says);
  }

  /** Our client's opening, after which the server has no more to say. */
  async open(options: Partial<LoginOptions> = {}): Promise<Duplex> {
    try {
      return await openSession(this, {
        user: 'u1',
        password: 'pw',
        debug: false,
        verbose: false,
        timeoutMs: 5000,
        onLog: ({ level, text }) => this.logs.push(`${level}: ${text}`),
        ...options,
      });
    } finally {
      this.push(null);
    }
  }
}
