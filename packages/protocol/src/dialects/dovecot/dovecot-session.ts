import type { Body, Conversation, Received } from '../../channel.ts';
import { asError, ProtocolError, readingError } from '../../errors.ts';
import { MAX_TEXT_QUEUED } from '../../limits.ts';
import type { Wire, WireSink } from '../../session/wire.ts';
import type { Message, MessageOf } from '../../table.ts';
import type { Dialect, DialectContext, DialectSession } from '../dialect.ts';
import { MailboxConversation, SessionConversation, type Owner } from './dovecot-conversations.ts';
import { MessageParser } from './lines.ts';
import { TextBody } from './text-body.ts';
import { TextReader, type Item, type ItemSink } from './text-reader.ts';
import { TextSender } from './text-sender.ts';

/** What a master names if it was told no headers: a Dovecot slave crashes without any. */
const HASHED_HEADERS: readonly string[] = ['Date', 'Message-ID'];

interface Waiter {
  /** Takes the next message, or leaves it to another waiter. */
  wants(message: Received): boolean;
  resolve(message: Received): void;
  reject(error: ProtocolError): void;
}

/**
 * A session with a Dovecot, in its text: one list after the other, one mailbox at a time. What a message belongs to depends
 * on who waits for it, since a `.` alone does not say which list it ends; so messages queue up for whoever asks next.
 */
class DovecotSession implements DialectSession, WireSink, ItemSink, Owner {
  readonly window = 1;
  readonly session: Conversation;
  readonly role: 'master' | 'slave';
  readonly minor: number;
  readonly #hasEscapes: boolean;
  readonly #wire: Wire;
  readonly #sender: TextSender;
  readonly #reader: TextReader;
  #queue: Item[] = [];
  #held = 0;
  #paused = false;
  #waiters: Waiter[] = [];
  #open: TextBody | null = null;
  #failure: ProtocolError | null = null;
  #end: ProtocolError | null = null;
  /** Handshake of the master, whoever that is: it says which lists exist. */
  #rules: MessageOf<'handshake'> | null = null;
  #finished = false;

  constructor(context: DialectContext) {
    this.role = context.role;
    this.minor = context.peer.minor;
    this.#hasEscapes = !context.peer.ours && context.peer.headers.get('D')?.includes('escape_char') === true;
    this.#wire = context.wire;
    this.#sender = new TextSender(context.wire);
    this.#reader = new TextReader(new MessageParser(context.peer.headers, context.peer.minor), this);
    this.session = new SessionConversation(this);
    context.wire.attach(this, context.rest);
  }

  openMailbox(): Conversation {
    if (this.role !== 'master') throw new ProtocolError('Unexpected', 'only the master opens mailboxes');
    return new MailboxConversation(this, null);
  }

  async endMailboxes(): Promise<void> {
    await this.send({ kind: 'listEnd' }, undefined);
    // Before dsync 3.3 there was no finish: the master leaves, and nobody waits for an answer.
    if (this.minor < 3) {
      await this.send({ kind: 'done' }, undefined);
      this.#finished = true;
    }
    this.#sender.seal();
  }

  async acceptMailbox(): Promise<Conversation | null> {
    const first = await this.next(() => true);
    if (first.kind === 'listEnd') return null;
    if (first.kind === 'mailbox') return new MailboxConversation(this, first);
    throw this.fail(new ProtocolError('Unexpected', `${first.kind} where a mailbox should be`));
  }

  flush(): Promise<void> {
    const closed = this.#failure ?? this.#end;
    if (closed !== null) return Promise.reject(closed);
    this.#sender.seal();
    return this.#wire.room();
  }

  seal(): void {
    if (this.#failure === null && this.#end === null) this.#sender.seal();
  }

  /** Dovecot's text has no place for the reason. */
  farewell(): Uint8Array {
    return Buffer.from('X\n');
  }

  // --- Owner

  get finished(): boolean {
    return this.#finished;
  }

  send(message: Message, body: Body | undefined): Promise<void> {
    const closed = this.#failure ?? this.#end;
    if (closed !== null) return Promise.reject(closed);
    return this.#sender.send(message.kind === 'handshake' ? this.#ours(message) : message, body);
  }

  #ours(handshake: MessageOf<'handshake'>): MessageOf<'handshake'> {
    // A Dovecot slave says no more than these two; the list it leaves empty.
    if (this.role === 'slave') return { kind: 'handshake', hostname: handshake.hostname, hashedHeaders: [] };
    const { hashedHeaders = [], excludeMailboxes } = handshake;
    this.#rules = {
      ...handshake,
      hashedHeaders: hashedHeaders.length > 0 ? hashedHeaders : HASHED_HEADERS,
      ...(excludeMailboxes === undefined ? {} : { excludeMailboxes: excludeMailboxes.map(this.#masked) }),
    };
    return this.#rules;
  }

  /**
   * A Dovecot that has an escape character compares masks with names in which it is written by its code. Without that it
   * would not exclude a mailbox with a `%` in its name, and as the destination of a backup delete it.
   */
  readonly #masked = (mask: string): string => (this.#hasEscapes ? mask.replaceAll('%', '%25') : mask);

  lists(direction: 'ours' | 'theirs'): boolean {
    const slaves = (this.role === 'slave') === (direction === 'ours');
    return slaves ? this.#rules?.backupReceive !== true : this.#rules?.backupSend !== true;
  }

  next(wants: (message: Received) => boolean): Promise<Received> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    try {
      this.#open?.skip();
    } catch (error) {
      return Promise.reject(asError(error));
    }
    this.#open = null;
    const first = this.#queue[0];
    if (first !== undefined && wants(first.received)) return Promise.resolve(this.#take());
    if (this.#end !== null) return Promise.reject(this.#end);
    this.#sender.receiverWaits();
    const arrival = new Promise<Received>((resolve, reject) => this.#waiters.push({ wants, resolve, reject }));
    return this.#wire.awaiting(arrival).finally(() => this.#sender.receiverHas());
  }

  fail(error: unknown): ProtocolError {
    if (this.#failure !== null) return this.#failure;
    const failure = readingError(error);
    this.#wire.fail(failure);
    return failure;
  }

  // --- ItemSink

  item(item: Item): void {
    const { received } = item;
    if (received.kind === 'done') {
      this.ended(new ProtocolError('PeerFailed', 'the other side failed and said no more'));
      return;
    }
    if (received.kind === 'handshake') this.#handshake(received);
    this.#queue.push(item);
    this.held(item.cost);
    this.#serve();
  }

  held(bytes: number): void {
    this.#held += bytes;
    if (!this.#paused && this.#held > MAX_TEXT_QUEUED) {
      this.#paused = true;
      this.#wire.pause();
    } else if (this.#paused && this.#held <= MAX_TEXT_QUEUED / 2) {
      this.#paused = false;
      this.#wire.resume();
    }
  }

  #handshake(message: MessageOf<'handshake'>): void {
    if (this.role === 'slave') this.#rules = message;
  }

  #take(): Received {
    const item = this.#queue.shift();
    if (item === undefined) throw new ProtocolError('Unexpected', 'nothing to take');
    this.held(-item.cost);
    if ('body' in item.received && item.received.body instanceof TextBody) this.#open = item.received.body;
    return item.received;
  }

  /** Gives the first message to the first waiter that takes it. */
  #serve(): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    const index = this.#waiters.findIndex((w) => w.wants(first.received));
    if (index < 0) return;
    const [waiter] = this.#waiters.splice(index, 1);
    waiter?.resolve(this.#take());
  }

  // --- WireSink

  bytes(chunk: Buffer): void {
    if (this.#failure !== null || this.#end !== null) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  ended(error: ProtocolError): void {
    if (this.#end !== null || this.#failure !== null) return;
    this.#end =
      this.#reader.between || error.code !== 'Closed'
        ? error
        : new ProtocolError('Closed', 'connection closed in the middle of a message', { cause: error });
    this.#reader.end(this.#end);
    this.#sender.fail(this.#end);
    this.#rejectAll(this.#end);
  }

  failed(error: ProtocolError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#queue = [];
    this.#reader.end(error);
    this.#sender.fail(error);
    this.#rejectAll(error);
  }

  #rejectAll(error: ProtocolError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const w of waiters) w.reject(error);
  }
}

/** Dovecot's dsync 3.x text, in both roles (docs/protocol.md, "Dovecot's text"). */
export const DOVECOT: Dialect = { name: 'dovecot', open: (context) => new DovecotSession(context) };
