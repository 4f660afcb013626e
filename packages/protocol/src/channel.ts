/**
 * What the brain talks to: a session with a peer, carrying messages. It tells nothing of dialects, frames or sockets;
 * the native and the Dovecot dialect and the in-process pipe all implement it.
 *
 * Order is kept inside one conversation. Sending never waits for the peer to answer, only for the carrier to drain
 * (backpressure), so a side must read while it writes: one track sends, one receives.
 */
import type { Kind, Message, MessageOf } from './table.ts';

/** A mail's or attribute's bytes: whole if small, else chunks of at most 64 KiB that can be read once. */
export type Body = Uint8Array | AsyncIterable<Uint8Array>;

/** Messages that may be followed by bytes. */
export type BodyKind = 'mail' | 'attribute';

/** A received message; `body` is there exactly if the message has `stream`. */
export type Received = {
  readonly [K in Kind]: K extends BodyKind ? MessageOf<K> & { readonly body?: Body } : MessageOf<K>;
}[Kind];

/** One subject, the session itself or a mailbox: messages in both directions, which keep their order. */
export interface Conversation {
  /**
   * Queues a message. Resolves as soon as the carrier has room, not when it is delivered.
   * A `body` goes with a message that has `stream: true`; it is read to its end.
   * @throws {ProtocolError} `Closed` when the carrier has ended; the code of the failure that ended the session
   */
  send(message: Message, body?: Body): Promise<void>;

  /**
   * The next message. A streamed body must be read to its end (or its iterator closed) before the next call; a body
   * whose digest is wrong throws `DigestMismatch` at its end.
   * @throws {ProtocolError} `Closed` at the end of the stream; `PeerFailed` when the peer said `done` here
   */
  receive(): Promise<Received>;

  /**
   * The next message if it is here already; null: it must be waited for with `receive`. For long lists.
   * @throws {ProtocolError} as `receive`
   */
  ready(): Received | null;
}

/** Who is at the other end, known once both handshakes were exchanged. */
export interface Peer {
  readonly hostname: string;
  readonly dialect: 'native' | 'dovecot';
  /** The peer is a Dovecot: it speaks text, and its opening is not ours. */
  readonly isDovecot: boolean;
  /** dsync 3.x minor of the peer's preamble. */
  readonly minor: number;
  /**
   * What becomes of its escape character and two digits in names. `decoded`: in names that it is told they stand for a byte,
   * although it sends none so. `lost`: in names that it tells as well, so that no name of its own can have them.
   */
  readonly codesInNames: 'kept' | 'decoded' | 'lost';
  /** Named features that both sides offered; empty for a Dovecot. */
  readonly features: ReadonlySet<string>;
}

/** An open session, as `openChannel` gives it. Close it however it ended. */
export interface Channel extends AsyncDisposable {
  readonly peer: Peer;
  /** The peer's handshake message. */
  readonly handshake: MessageOf<'handshake'>;
  /** How many mailboxes may be in flight at once; 1 in the Dovecot dialect. */
  readonly window: number;
  /** States, trees, finish. */
  readonly session: Conversation;
  /** Master: a conversation about one more mailbox; its first message must be `mailbox`. */
  openMailbox(): Conversation;
  /** Master: ends the list of mailboxes. */
  endMailboxes(): Promise<void>;
  /** Slave: the next mailbox that the master opens, null at the end of the list. */
  acceptMailbox(): Promise<Conversation | null>;
  /** Hands everything that is queued to the carrier. Batches are also flushed whenever a receive has to wait. */
  flush(): Promise<void>;
  /** Bytes on the carrier so far. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Ends the session without a word; pending receives fail with `Closed`. */
  close(): Promise<void>;
  /** Tells the peer that we go away (`done`), flushes and closes. Never throws. */
  abort(reason: string): Promise<void>;
}
