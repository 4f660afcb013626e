import type { Conversation } from '../../channel.ts';
import { ProtocolError, readingError } from '../../errors.ts';
import { FrameDecoder, FRAME_HEADER, newFrame, type Frame } from '../../framing/frames.ts';
import { MAX_MAILBOXES } from '../../limits.ts';
import type { WireSink } from '../../session/wire.ts';
import { oneLine } from '../../text.ts';
import type { Dialect, DialectContext, DialectSession } from '../dialect.ts';
import { NativeConversation, type Owner } from './native-conversation.ts';
import type { Outbox } from './outbox.ts';
import { fromRecord, packRecords, toRecord, unpackRecords } from './records.ts';
import { scanMsgpack } from './scan.ts';
import { FRAME, Packer, parseConversationFrame, parseCredit, unpackFrame } from './wire-format.ts';

/** The feature of compressed frames. */
export const COMPRESSION = 'brotli';

/**
 * The native dialect's session: conversations side by side over one wire.
 *
 * 1. The carrier is always read: what a conversation leaves unread is bounded by its credit, so a slow mailbox can hold
 *    back nobody but its own sender.
 * 2. Credit and farewell need no credit themselves.
 * 3. Numbers of mailboxes ascend without a gap in the order of their first frames.
 */
class NativeSession implements DialectSession, WireSink, Owner {
  readonly window: number;
  readonly session: NativeConversation;
  readonly #context: DialectContext;
  readonly #packer: Packer | null;
  readonly #decoder = new FrameDecoder();
  readonly #conversations = new Map<number, NativeConversation>();
  /** Ours that have sent nothing yet. */
  readonly #unnumbered = new Set<NativeConversation>();
  readonly #dirty = new Set<Outbox>();
  #opened = 0;
  #failure: ProtocolError | null = null;
  #end: ProtocolError | null = null;
  #flushing = false;
  /** Receivers that wait. */
  #waiting = 0;
  #accepting: { resolve(mailbox: Conversation | null): void; reject(error: ProtocolError): void } | null = null;
  #unaccepted: NativeConversation[] = [];
  #mailboxesOver = false;

  constructor(context: DialectContext) {
    this.#context = context;
    this.window = context.window;
    this.#packer = context.features.has(COMPRESSION) ? new Packer() : null;
    this.session = new NativeConversation(this, 0);
    this.#conversations.set(0, this.session);
    context.wire.attach(this, context.rest);
  }

  // --- DialectSession

  openMailbox(): Conversation {
    if (this.#context.role !== 'master') throw new ProtocolError('Unexpected', 'only the master opens mailboxes');
    const conversation = new NativeConversation(this, -1);
    const over = this.#failure ?? this.#end;
    if (over === null) this.#unnumbered.add(conversation);
    else conversation.inbox.end(over);
    return conversation;
  }

  async endMailboxes(): Promise<void> {
    if (this.closed !== null) throw this.closed;
    this.seal();
    this.write(newFrame(FRAME.endMailboxes, 0));
    await this.room();
  }

  acceptMailbox(): Promise<Conversation | null> {
    const next = this.#unaccepted.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#mailboxesOver) return Promise.resolve(null);
    const error = this.#failure ?? this.#end;
    if (error !== null) return Promise.reject(error);
    if (this.#accepting !== null)
      return Promise.reject(new ProtocolError('Unexpected', 'mailboxes are accepted twice at once'));
    return this.receiving(new Promise((resolve, reject) => (this.#accepting = { resolve, reject })));
  }

  async flush(): Promise<void> {
    if (this.closed !== null) throw this.closed;
    this.seal();
    // Frames that wait for credit go out by themselves; to wait for them here would tie all conversations to the slowest.
    await this.room();
  }

  farewell(reason: string): Buffer {
    const error = oneLine(reason);
    const { record } = toRecord({ kind: 'done', ...(error !== '' && { error }) }, undefined);
    const packed = packRecords([record]);
    const frame = newFrame(FRAME.farewell, packed.length);
    packed.copy(frame, FRAME_HEADER);
    return frame;
  }

  // --- Owner

  get failure(): ProtocolError | null {
    return this.#failure;
  }

  get closed(): ProtocolError | null {
    return this.#failure ?? this.#end;
  }

  get full(): boolean {
    return this.#context.wire.full;
  }

  fail(error: unknown): ProtocolError {
    if (this.#failure !== null) return this.#failure;
    const failure = readingError(error);
    this.#context.wire.fail(failure);
    return failure;
  }

  nextNumber(conversation: NativeConversation): number {
    if (this.#conversations.size > MAX_MAILBOXES)
      throw new ProtocolError('LimitExceeded', 'too many mailboxes under way');
    const number = ++this.#opened;
    this.#unnumbered.delete(conversation);
    this.#conversations.set(number, conversation);
    return number;
  }

  write(frame: Buffer): void {
    this.#context.wire.write(this.#packer === null ? frame : this.#packer.pack(frame));
  }

  room(): Promise<void> {
    return this.#context.wire.room();
  }

  awaiting<T>(promise: Promise<T>): Promise<T> {
    return this.#context.wire.awaiting(promise);
  }

  /** Somebody waits for the peer, who may wait for what we have gathered: that goes out, now and as long as it lasts. */
  receiving<T>(promise: Promise<T>): Promise<T> {
    this.#waiting++;
    this.idle();
    return this.awaiting(promise).finally(this.#received);
  }

  readonly #received = (): void => {
    this.#waiting--;
  };

  dirty(outbox: Outbox): void {
    this.#dirty.add(outbox);
    if (this.#waiting > 0) this.idle();
  }

  /** Flushes at the end of this turn: whoever adds to a batch before it does so for free. */
  idle(): void {
    if (this.#flushing || this.#dirty.size === 0) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.seal();
    });
  }

  /** Credit can still come while the last frames wait for it, so the place is freed after them. */
  over(conversation: NativeConversation): void {
    this.idle();
    conversation.outbox.drainedAll().then(
      () => this.#conversations.delete(conversation.number()),
      () => undefined,
    );
  }

  seal(): void {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    if (this.closed !== null) return;
    try {
      for (const outbox of dirty) outbox.seal();
    } catch (error) {
      this.fail(error);
    }
  }

  // --- WireSink

  bytes(chunk: Buffer): void {
    if (this.#failure !== null || this.#end !== null) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#frame(frame);
        if (this.#end !== null) return;
      }
    } catch (error) {
      this.fail(error);
    }
  }

  ended(error: ProtocolError): void {
    if (this.#end !== null || this.#failure !== null) return;
    this.#end = error;
    for (const c of [...this.#conversations.values(), ...this.#unnumbered]) {
      c.inbox.end(error);
      c.outbox.fail(error);
    }
    this.#accepting?.reject(error);
    this.#accepting = null;
  }

  failed(error: ProtocolError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    for (const c of [...this.#conversations.values(), ...this.#unnumbered]) {
      c.inbox.fail(error);
      c.outbox.fail(error);
    }
    this.#unaccepted = [];
    this.#accepting?.reject(error);
    this.#accepting = null;
  }

  #frame(frame: Frame): void {
    switch (frame.type) {
      case FRAME.packed: {
        if (this.#packer === null) throw new ProtocolError('Unexpected', 'compressed frame, which was not agreed');
        const inner = unpackFrame(frame.payload);
        return this.#content(inner);
      }
      case FRAME.batch:
      case FRAME.chunk:
      case FRAME.bodyEnd:
        return this.#content(frame);
      case FRAME.credit: {
        const { conversation, content } = parseConversationFrame(frame);
        if (conversation > this.#opened)
          throw new ProtocolError('Garbage', 'credit for a mailbox that was never opened');
        // One that is over may still be paid back.
        this.#conversations.get(conversation)?.outbox.addCredit(parseCredit(content));
        return;
      }
      case FRAME.endMailboxes:
        return this.#endOfMailboxes();
      case FRAME.farewell:
        return this.ended(peerFailed(frame.payload));
      default:
        throw new ProtocolError('Garbage', `frame of unknown type ${frame.type}`);
    }
  }

  #content(frame: Frame): void {
    const part = parseConversationFrame(frame);
    const known = this.#conversations.get(part.conversation);
    if (known !== undefined) return known.inbox.push(part);
    this.#openedByPeer(part.conversation).inbox.push(part);
  }

  #openedByPeer(number: number): NativeConversation {
    if (this.#context.role !== 'slave' || number !== this.#opened + 1)
      throw new ProtocolError('Unexpected', `frame for mailbox ${number}, which is not open`);
    if (this.#mailboxesOver) throw new ProtocolError('Unexpected', 'a mailbox after the last one');
    if (this.#unaccepted.length >= this.window)
      throw new ProtocolError('LimitExceeded', `more than ${this.window} mailboxes opened ahead`);
    if (this.#conversations.size > MAX_MAILBOXES)
      throw new ProtocolError('LimitExceeded', 'too many mailboxes under way');
    this.#opened = number;
    const conversation = new NativeConversation(this, number);
    this.#conversations.set(number, conversation);
    if (this.#accepting === null) {
      this.#unaccepted.push(conversation);
    } else {
      this.#accepting.resolve(conversation);
      this.#accepting = null;
    }
    return conversation;
  }

  #endOfMailboxes(): void {
    if (this.#context.role !== 'slave' || this.#mailboxesOver)
      throw new ProtocolError('Unexpected', 'end of mailboxes where none can be');
    this.#mailboxesOver = true;
    this.#accepting?.resolve(null);
    this.#accepting = null;
  }
}

/** The error that a peer's farewell makes of everything that still waits. */
function peerFailed(payload: Buffer): ProtocolError {
  scanMsgpack(payload);
  const records = unpackRecords(payload);
  const { message } = fromRecord(Array.isArray(records) ? records[0] : undefined);
  if (message.kind !== 'done') throw new ProtocolError('Unexpected', `${message.kind} as farewell`);
  const reason = oneLine(message.error ?? '');
  return new ProtocolError('PeerFailed', reason === '' ? 'the other side failed' : `the other side failed: ${reason}`);
}

/** Frames of msgpack, several mailboxes in flight (docs/protocol.md, "The native dialect"). */
export const NATIVE: Dialect = { name: 'native', open: (context) => new NativeSession(context) };
