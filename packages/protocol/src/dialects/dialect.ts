import type { Channel } from '../channel.ts';
import type { Preamble } from '../handshake/preamble.ts';
import type { Wire } from '../session/wire.ts';

/** What a dialect starts from: everything behind the openings of both sides. */
export interface DialectContext {
  readonly wire: Wire;
  readonly role: 'master' | 'slave';
  readonly peer: Preamble;
  /** Bytes that came with the peer's opening. */
  readonly rest: Buffer;
  /** Mailboxes in flight, already agreed. */
  readonly window: number;
  /** Features that both sides offered. */
  readonly features: ReadonlySet<string>;
}

/** A session in one dialect: `Channel` without what all dialects have in common. */
export interface DialectSession extends Pick<
  Channel,
  'window' | 'session' | 'openMailbox' | 'endMailboxes' | 'acceptMailbox' | 'flush'
> {
  /** Hands to the wire what was gathered, without waiting; never throws. */
  seal(): void;
  /** The last bytes of a session that we leave with a reason. */
  farewell(reason: string): Uint8Array;
}

/** How a session is spoken behind the openings. */
export interface Dialect {
  readonly name: 'native' | 'dovecot';
  open(context: DialectContext): DialectSession;
}
