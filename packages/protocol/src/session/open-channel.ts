import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Channel, Conversation, Peer } from '../channel.ts';
import type { Dialect, DialectSession } from '../dialects/dialect.ts';
import { DOVECOT } from '../dialects/dovecot/dovecot-session.ts';
import { COMPRESSION, NATIVE } from '../dialects/native/native-session.ts';
import { asError, ProtocolError } from '../errors.ts';
import { PreambleReader, printPreamble, type Preamble } from '../handshake/preamble.ts';
import { DEFAULT_WINDOW, MAX_WINDOW } from '../limits.ts';
import { PipeEnd } from '../pipe.ts';
import type { MessageOf } from '../table.ts';
import { Wire, type Rawlog } from './wire.ts';

/** What our end brings into a session; only `role` and `handshake` have no default. */
export interface ChannelOptions {
  readonly role: 'master' | 'slave';
  /** Our own handshake message; it may depend on the dialect, which is known before it is sent. */
  readonly handshake: MessageOf<'handshake'> | ((dialect: Peer['dialect']) => MessageOf<'handshake'>);
  /** `auto` speaks native if both sides offer it, else Dovecot's text. */
  readonly dialect?: 'auto' | 'native' | 'dovecot';
  /** Named features to offer besides those of the protocol itself. */
  readonly features?: readonly string[];
  /** Offer compressed frames. By default on every carrier but a pipe or a socket of this machine, where it would only cost. */
  readonly compress?: boolean;
  /** Milliseconds of silence, while something is awaited, until the session fails with `Stalled`; 0 or absent: never. */
  readonly stallTimeoutMs?: number;
  /** Mailboxes in flight at once that we can bear, 1 … 64; the smaller of both sides' numbers holds. */
  readonly window?: number;
  /** Gets a copy of every byte. */
  readonly rawlog?: Rawlog;
  /** Gets why we abort, right before the peer is told that we do, where its dialect has no room for the reason. */
  readonly tellReason?: (reason: string) => void;
}

const WINDOW = /^window=(\d{1,4})$/;

/**
 * Opens a session over a carrier: writes our opening, reads the peer's, agrees on the dialect, exchanges the handshake
 * messages. The carrier belongs to the channel from here on, also if this fails.
 * @throws {ProtocolError} `Garbage`, `Incompatible`, `LimitExceeded` for a peer that we cannot talk to, `Closed`, `Stalled`
 */
export async function openChannel(carrier: Duplex, options: ChannelOptions): Promise<Channel> {
  const window = Math.min(Math.max(1, Math.trunc(options.window ?? DEFAULT_WINDOW)), MAX_WINDOW);
  const native = (options.dialect ?? 'auto') !== 'dovecot';
  const offered = [
    `window=${window}`,
    ...((options.compress ?? !isLocal(carrier)) ? [COMPRESSION] : []),
    ...(options.features ?? []),
  ];
  const opening = printPreamble(native ? offered : null);
  const wire = new Wire(carrier, {
    ...(options.stallTimeoutMs !== undefined && { stallTimeoutMs: options.stallTimeoutMs }),
    ...(options.rawlog !== undefined && { rawlog: options.rawlog }),
  });
  try {
    wire.write(opening);
    const { preamble, rest } = await readPreamble(wire);
    const agreed = agree(preamble, native ? offered : null, window);
    if (options.dialect === 'native' && agreed.dialect !== NATIVE)
      throw new ProtocolError('Incompatible', 'the peer does not offer the native dialect');
    const session = agreed.dialect.open({
      wire,
      role: options.role,
      peer: preamble,
      rest,
      window: agreed.window,
      features: agreed.features,
    });
    const own = options.handshake;
    await session.session.send(typeof own === 'function' ? own(agreed.dialect.name) : own);
    await session.flush();
    const handshake = await session.session.receive();
    if (handshake.kind !== 'handshake') throw new ProtocolError('Unexpected', `${handshake.kind} before the handshake`);
    const peer: Peer = {
      hostname: handshake.hostname,
      dialect: agreed.dialect.name,
      isDovecot: !preamble.ours,
      minor: preamble.minor,
      codesInNames: codesInNames(preamble),
      features: agreed.features,
    };
    return new OpenChannel(wire, session, peer, handshake, options.tellReason);
  } catch (error) {
    void wire.close();
    throw error;
  }
}

/** Dovecots decode since 2.3.19, which first named an escape character; 2.4 has lost a field that all 2.3 have. */
function codesInNames({ ours, headers }: Preamble): Peer['codesInNames'] {
  const has = (letter: string, field: string): boolean => headers.get(letter)?.includes(field) === true;
  if (ours || !has('D', 'escape_char')) return 'kept';
  return has('H', 'import_commit_msgs_interval') ? 'decoded' : 'lost';
}

/** True for an in-process pipe, a unix socket and a socket to the loopback interface. */
function isLocal(carrier: Duplex): boolean {
  if (carrier instanceof PipeEnd) return true;
  if (!(carrier instanceof Socket)) return false;
  const address = carrier.remoteAddress;
  return address === undefined || address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

function readPreamble(wire: Wire): Promise<{ readonly preamble: Preamble; readonly rest: Buffer }> {
  const reader = new PreambleReader();
  const read = new Promise<{ readonly preamble: Preamble; readonly rest: Buffer }>((resolve, reject) => {
    const fail = (error: ProtocolError): void => reject(error);
    wire.attach({
      bytes(chunk) {
        try {
          const whole = reader.push(chunk);
          if (whole === null) return;
          wire.detach();
          resolve(whole);
        } catch (error) {
          reject(asError(error));
          wire.detach();
        }
      },
      ended: (error) =>
        fail(
          reader.begun ? error : new ProtocolError('Closed', 'the other side closed without a word', { cause: error }),
        ),
      failed: fail,
    });
  });
  return wire.awaiting(read);
}

interface Agreement {
  readonly dialect: Dialect;
  readonly window: number;
  readonly features: ReadonlySet<string>;
}

function agree(peer: Preamble, offered: readonly string[] | null, window: number): Agreement {
  const theirs = peer.native;
  if (theirs === null || offered === null) return { dialect: DOVECOT, window: 1, features: new Set() };
  const theirWindow = [...theirs].map((name) => Number(WINDOW.exec(name)?.[1] ?? 0)).find((n) => n > 0) ?? 1;
  const features = new Set(offered.filter((name) => theirs.has(name) && !WINDOW.test(name)));
  return { dialect: NATIVE, window: Math.min(window, theirWindow), features };
}

class OpenChannel implements Channel {
  readonly peer: Peer;
  readonly handshake: MessageOf<'handshake'>;
  readonly window: number;
  readonly session: Conversation;
  readonly #wire: Wire;
  readonly #dialect: DialectSession;
  #tellReason: ChannelOptions['tellReason'];

  constructor(
    wire: Wire,
    dialect: DialectSession,
    peer: Peer,
    handshake: MessageOf<'handshake'>,
    tellReason: ChannelOptions['tellReason'],
  ) {
    this.#wire = wire;
    this.#tellReason = peer.dialect === 'dovecot' ? tellReason : undefined;
    this.#dialect = dialect;
    this.peer = peer;
    this.handshake = handshake;
    this.window = dialect.window;
    this.session = dialect.session;
  }

  openMailbox(): Conversation {
    return this.#dialect.openMailbox();
  }

  endMailboxes(): Promise<void> {
    return this.#dialect.endMailboxes();
  }

  acceptMailbox(): Promise<Conversation | null> {
    return this.#dialect.acceptMailbox();
  }

  flush(): Promise<void> {
    return this.#dialect.flush();
  }

  get bytesIn(): number {
    return this.#wire.bytesIn;
  }

  get bytesOut(): number {
    return this.#wire.bytesOut;
  }

  close(): Promise<void> {
    this.#dialect.seal();
    return this.#wire.close();
  }

  async abort(reason: string): Promise<void> {
    const tellReason = this.#tellReason;
    this.#tellReason = undefined;
    tellReason?.(reason);
    try {
      this.#dialect.seal();
      await this.#wire.close(this.#dialect.farewell(reason));
    } catch {
      // The carrier is gone already: there is nobody to tell.
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
