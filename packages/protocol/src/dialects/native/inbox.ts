import { createHash } from 'node:crypto';

import type { Body, Received } from '../../channel.ts';
import { ProtocolError } from '../../errors.ts';
import { BODY_CHUNK, CREDIT, FRAME_COST, INLINE_BODY, MAX_BATCH_RECORDS, MAX_FRAME } from '../../limits.ts';
import { sha256 } from './outbox.ts';
import { fromRecord, unpackRecords } from './records.ts';
import { scanMsgpack } from './scan.ts';
import { FRAME, type ConversationFrame } from './wire-format.ts';

/** What an inbox needs of its session. */
export interface Receiving {
  readonly failure: ProtocolError | null;
  /** Ends the whole session and returns the error that everybody gets. */
  fail(error: unknown): ProtocolError;
  credit(bytes: number): void;
  /** Passes on what a receiver waits for: meanwhile what was gathered for the peer should go out. */
  receiving<T>(promise: Promise<T>): Promise<T>;
}

/** Sent back in portions, so that credit costs few frames. */
const CREDIT_PORTION = CREDIT / 4;

/** Bytes queued beyond this: the peer did not keep to its credit. The last frame may overdraw it. */
const MOST_QUEUED = CREDIT + MAX_FRAME + FRAME_COST;

/** The receiving half of one conversation: keeps frames as they came and decodes them when they are asked for. */
export class Inbox {
  readonly #port: Receiving;
  #queue: ConversationFrame[] = [];
  #head = 0;
  #unused = 0;
  #owed = 0;
  #waiter: { resolve(frame: ConversationFrame): void; reject(error: ProtocolError): void } | null = null;
  #end: ProtocolError | null = null;
  #records: readonly unknown[] = [];
  #next = 0;
  #bodies: Buffer = Buffer.alloc(0);
  #open: OpenBody | null = null;
  #retired = false;

  constructor(port: Receiving) {
    this.#port = port;
  }

  /** Bytes that wait to be used. */
  get queued(): number {
    return this.#unused;
  }

  push(frame: ConversationFrame): void {
    this.#unused += frame.cost;
    if (this.#unused > MOST_QUEUED)
      throw new ProtocolError('LimitExceeded', 'the peer sends more than it was given credit for');
    const waiter = this.#waiter;
    if (waiter !== null) {
      this.#waiter = null;
      waiter.resolve(this.#used(frame));
    } else {
      this.#queue.push(frame);
    }
  }

  /** Nothing more will come; what is queued can still be received. */
  end(error: ProtocolError): void {
    this.#end ??= error;
    this.#waiter?.reject(error);
    this.#waiter = null;
  }

  /** Drops everything. */
  fail(error: ProtocolError): void {
    this.#queue = [];
    this.#head = 0;
    this.end(error);
  }

  /** This conversation gets no more frames; its receiver need not be paid back. */
  retire(): void {
    this.#retired = true;
  }

  /** The next message, if it and everything of a body before it have come; null: not yet. */
  ready(): Received | null {
    if (this.#open !== null) return null;
    try {
      for (;;) {
        const message = this.#decode();
        if (message !== null) return message;
        const frame = this.#shift();
        if (frame === null) return null;
        this.#openBatch(frame);
      }
    } catch (error) {
      throw this.#port.fail(error);
    }
  }

  async receive(): Promise<Received> {
    if (this.#open !== null) await this.#open.skip();
    this.#open = null;
    for (;;) {
      const message = this.ready();
      if (message !== null) return message;
      const frame = await this.#arrival();
      try {
        this.#openBatch(frame);
      } catch (error) {
        throw this.#port.fail(error);
      }
    }
  }

  /** The next frame, in order. Credit is given back as frames are taken. */
  #take(): Promise<ConversationFrame> {
    const frame = this.#shift();
    return frame === null ? this.#arrival() : Promise.resolve(frame);
  }

  #shift(): ConversationFrame | null {
    const frame = this.#queue[this.#head];
    if (frame === undefined) return null;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return this.#used(frame);
  }

  #used(frame: ConversationFrame): ConversationFrame {
    this.#unused -= frame.cost;
    this.#owed += frame.cost;
    if (this.#owed >= CREDIT_PORTION && !this.#retired) {
      // Over a pipe in this process the peer's next frames can come while the credit is being written.
      const owed = this.#owed;
      this.#owed = 0;
      this.#port.credit(owed);
    }
    return frame;
  }

  #arrival(): Promise<ConversationFrame> {
    const error = this.#port.failure ?? this.#end;
    if (error !== null) return Promise.reject(error);
    if (this.#waiter !== null)
      return Promise.reject(new ProtocolError('Unexpected', 'two receivers in one conversation'));
    return this.#port.receiving(new Promise((resolve, reject) => (this.#waiter = { resolve, reject })));
  }

  #openBatch(frame: ConversationFrame): void {
    if (frame.type !== FRAME.batch) throw new ProtocolError('Unexpected', 'bytes of a body where a message should be');
    const { content } = frame;
    if (content.length < 4) throw new ProtocolError('Garbage', 'batch cut short');
    const length = content.readUInt32BE(0);
    if (length > content.length - 4) throw new ProtocolError('Garbage', 'batch cut short');
    const bytes = content.subarray(4, 4 + length);
    scanMsgpack(bytes);
    const records = unpackRecords(bytes);
    if (!Array.isArray(records)) throw new ProtocolError('Garbage', 'batch is no list');
    if (records.length === 0) throw new ProtocolError('Garbage', 'empty batch');
    if (records.length > MAX_BATCH_RECORDS)
      throw new ProtocolError(
        'LimitExceeded',
        `batch of ${records.length} records, at most ${MAX_BATCH_RECORDS} allowed`,
      );
    this.#records = records;
    this.#next = 0;
    this.#bodies = content.subarray(4 + length);
  }

  /** The next message of the batch at hand, its body checked if it came along. */
  #decode(): Received | null {
    const failure = this.#port.failure;
    if (failure !== null) throw failure;
    if (this.#next >= this.#records.length) return null;
    const record = this.#records[this.#next++];
    const last = this.#next === this.#records.length;
    if (last) this.#records = [];
    const { message, body: note } = fromRecord(record);
    let body: Body | undefined;
    if (note?.inline === true) body = this.#inlineBody(note.length, note.sha256);
    if (last && this.#bodies.length > 0) throw new ProtocolError('Garbage', 'bytes behind the last body of a batch');
    if (note?.inline === false) {
      if (!last) throw new ProtocolError('Unexpected', 'a message between a mail and its bytes');
      this.#open = new OpenBody(
        () => this.#take(),
        (error) => this.#port.fail(error),
      );
      body = this.#open;
    }
    // `stream` and a body always come together: fromRecord makes both from the same element.
    return body === undefined ? message : Object.assign(message, { body });
  }

  #inlineBody(length: number, digest: Uint8Array): Uint8Array {
    if (length > INLINE_BODY)
      throw new ProtocolError(
        'LimitExceeded',
        `body of ${length} bytes inside a batch, at most ${INLINE_BODY} allowed`,
      );
    if (length > this.#bodies.length) throw new ProtocolError('Garbage', 'body cut short');
    const body = this.#bodies.subarray(0, length);
    this.#bodies = this.#bodies.subarray(length);
    if (!sha256(body).equals(digest)) throw wrongDigest();
    return body;
  }
}

function wrongDigest(): ProtocolError {
  return new ProtocolError('DigestMismatch', 'a mail arrived with other bytes than were sent');
}

/** A large body on its way; can be read once, and its end is its proof. */
class OpenBody implements AsyncIterable<Uint8Array> {
  readonly #take: () => Promise<ConversationFrame>;
  readonly #fail: (error: unknown) => ProtocolError;
  readonly #digest = createHash('sha256');
  #state: 'untouched' | 'open' | 'closed' | 'over' = 'untouched';

  constructor(take: () => Promise<ConversationFrame>, fail: (error: unknown) => ProtocolError) {
    this.#take = take;
    this.#fail = fail;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#state !== 'untouched') throw new ProtocolError('Unexpected', 'a body can be read once');
    this.#state = 'open';
    try {
      for (let piece = await this.#piece(); piece !== null; piece = await this.#piece()) {
        this.#digest.update(piece);
        yield piece;
      }
    } finally {
      if (this.#state === 'open') this.#state = 'closed';
    }
  }

  /** Reads over what nobody wants. */
  async skip(): Promise<void> {
    if (this.#state === 'over') return;
    if (this.#state === 'open')
      throw new ProtocolError('Unexpected', 'the next message was asked for in the middle of a body');
    this.#state = 'closed';
    while ((await this.#piece()) !== null);
  }

  async #piece(): Promise<Uint8Array | null> {
    const frame = await this.#take();
    if (frame.type === FRAME.chunk && frame.content.length > 0 && frame.content.length <= BODY_CHUNK)
      return frame.content;
    if (frame.type !== FRAME.bodyEnd || frame.content.length !== 32)
      throw this.#fail(new ProtocolError('Unexpected', 'no bytes of a body where they should be'));
    const whole = this.#state === 'open';
    this.#state = 'over';
    if (whole && !this.#digest.digest().equals(frame.content)) throw this.#fail(wrongDigest());
    return null;
  }
}
