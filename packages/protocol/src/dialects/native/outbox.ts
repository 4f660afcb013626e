import { createHash, hash } from 'node:crypto';

import type { Body } from '../../channel.ts';
import { asError, ProtocolError } from '../../errors.ts';
import { BATCH_BYTES, BATCH_RECORDS, BODY_CHUNK, CREDIT, INLINE_BODY, MAX_FRAME, MAX_RECORD } from '../../limits.ts';
import type { Message } from '../../table.ts';
import { packRecords, toRecord, type BodyNote } from './records.ts';
import type { Packed } from './values.ts';
import { CONTENT, conversationFrame, costOf, FRAME } from './wire-format.ts';
import { FRAME_HEADER } from '../../framing/frames.ts';

/** What an outbox needs of its session. */
export interface Sending {
  /** Why nothing can be sent any more. */
  readonly closed: ProtocolError | null;
  /** The conversation's number on the wire; asked for as its frames go out. */
  number(): number;
  write(frame: Buffer): void;
  readonly full: boolean;
  room(): Promise<void>;
  awaiting<T>(promise: Promise<T>): Promise<T>;
  /** Has `seal` called soon. */
  dirty(outbox: Outbox): void;
}

const RESOLVED = Promise.resolve();
const NOTHING = new Uint8Array(0);

/** SHA-256 in one call; `createHash` costs several times as much on small mails. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/** The sending half of one conversation: gathers messages to batches, cuts bodies, keeps to the credit. */
export class Outbox {
  readonly #port: Sending;
  #records: (readonly Packed[])[] = [];
  #bodies: Uint8Array[] = [];
  #bodyBytes = 0;
  #size = 0;
  #waiting: Buffer[] = [];
  #credit = CREDIT;
  #wakers: { resolve(): void; reject(error: ProtocolError): void }[] = [];
  #turn: Promise<void> | null = null;
  #broken: ProtocolError | null = null;

  constructor(port: Sending) {
    this.#port = port;
  }

  send(message: Message, body: Body | undefined): Promise<void> {
    if (this.#turn !== null) return this.#inTurn(() => this.#send(message, body));
    const failure = this.#port.closed ?? this.#broken;
    if (failure !== null) return Promise.reject(failure);
    if (body !== undefined && !(body instanceof Uint8Array && body.length <= INLINE_BODY))
      return this.#inTurn(() => this.#stream(message, body));
    try {
      this.#append(message, body);
    } catch (error) {
      return Promise.reject(asError(error));
    }
    return this.#room();
  }

  async #send(message: Message, body: Body | undefined): Promise<void> {
    const failure = this.#port.closed ?? this.#broken;
    if (failure !== null) throw failure;
    if (body !== undefined && !(body instanceof Uint8Array && body.length <= INLINE_BODY))
      return this.#stream(message, body);
    this.#append(message, body);
    return this.#room();
  }

  /** One after the other: a body's chunks must not be parted by another message. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const before = this.#turn ?? RESOLVED;
    const mine = before.then(action, action);
    this.#turn = mine;
    const over = (): void => {
      if (this.#turn === mine) this.#turn = null;
    };
    mine.then(over, over);
    return mine;
  }

  #append(message: Message, body: Uint8Array | undefined, streamed = false): void {
    let note: BodyNote | undefined = streamed ? { inline: false } : undefined;
    if (body !== undefined) note = { inline: true, length: body.length, sha256: sha256(body) };
    if ('stream' in message ? note === undefined : note !== undefined) {
      throw new ProtocolError('BadValue', `${message.kind}: a body goes with stream, and only with it`);
    }
    const { record, size } = toRecord(message, note);
    // The estimate counts characters; one takes three bytes at most.
    if (size > MAX_RECORD / 3) checkSize(message.kind, record);
    const whole = size + (body?.length ?? 0);
    if (this.#records.length > 0 && this.#size + whole > BATCH_BYTES * 2) this.seal();
    if (this.#records.length === 0) this.#port.dirty(this);
    this.#records.push(record);
    this.#size += whole;
    if (body !== undefined) {
      this.#bodies.push(body);
      this.#bodyBytes += body.length;
    }
    if (this.#size >= BATCH_BYTES || this.#records.length >= BATCH_RECORDS) this.seal();
  }

  /** Makes one frame of what was gathered and sends it as far as the credit goes. */
  seal(): void {
    if (this.#records.length === 0) return;
    const records = packRecords(this.#records);
    const bodies = this.#bodies;
    const length = 4 + records.length + this.#bodyBytes;
    this.#records = [];
    this.#bodies = [];
    this.#bodyBytes = 0;
    this.#size = 0;
    if (length + 5 > MAX_FRAME)
      throw new ProtocolError('LimitExceeded', `batch of ${length} bytes does not fit a frame`);
    const frame = conversationFrame(FRAME.batch, this.#port.number(), length);
    frame.writeUInt32BE(records.length, CONTENT);
    records.copy(frame, CONTENT + 4);
    let at = CONTENT + 4 + records.length;
    for (const body of bodies) {
      frame.set(body, at);
      at += body.length;
    }
    this.#post(frame);
  }

  #post(frame: Buffer): void {
    this.#waiting.push(frame);
    this.#pump();
  }

  /** A frame may go while any credit is left, so credit can fall below zero by one frame. */
  #pump(): void {
    while (this.#credit > 0) {
      // Taken away first: over a pipe in this process credit can come, and call this again, while the frame is written.
      const frame = this.#waiting.shift();
      if (frame === undefined) break;
      this.#credit -= costOf(frame.length - FRAME_HEADER);
      this.#port.write(frame);
    }
    if (this.#waiting.length > 0) return;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const w of wakers) w.resolve();
  }

  /** The receiver has used up that much. */
  addCredit(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > CREDIT) throw new ProtocolError('Garbage', 'more credit than was used');
    this.#pump();
  }

  #room(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#port.full) return RESOLVED;
    return this.#waitForRoom();
  }

  async #waitForRoom(): Promise<void> {
    const failure = this.#port.closed;
    if (failure !== null) throw failure;
    if (this.#waiting.length > 0) {
      await this.#port.awaiting(new Promise<void>((resolve, reject) => this.#wakers.push({ resolve, reject })));
    }
    await this.#port.room();
  }

  /** Resolves when everything sent so far is with the carrier. */
  async drainedAll(): Promise<void> {
    if (this.#turn !== null) await this.#turn;
    if (this.#port.closed === null) this.seal();
    await this.#room();
  }

  async #stream(message: Message, body: Body): Promise<void> {
    const failure = this.#port.closed ?? this.#broken;
    if (failure !== null) throw failure;
    const source = chunksOf(body);
    const head: Uint8Array[] = [];
    let length = 0;
    let next = await source.next();
    while (next.done !== true && length <= INLINE_BODY) {
      head.push(next.value);
      length += next.value.length;
      if (length <= INLINE_BODY) next = await source.next();
    }
    if (next.done === true && length <= INLINE_BODY) {
      this.#append(message, head.length === 1 ? (head[0] ?? NOTHING) : Buffer.concat(head, length));
      return this.#room();
    }
    this.#append(message, undefined, true);
    this.seal();
    try {
      await this.#chunks(head, source);
    } catch (error) {
      // The receiver stands in the middle of a body: nothing can follow it here.
      this.#broken =
        error instanceof ProtocolError
          ? error
          : new ProtocolError('Closed', 'a body ended before its time', { cause: error });
      throw error;
    } finally {
      await source.return?.(undefined);
    }
  }

  async #chunks(head: readonly Uint8Array[], source: AsyncIterator<Uint8Array>): Promise<void> {
    const digest = createHash('sha256');
    const post = (piece: Uint8Array): Promise<void> => {
      digest.update(piece);
      const frame = conversationFrame(FRAME.chunk, this.#port.number(), piece.length);
      frame.set(piece, CONTENT);
      this.#post(frame);
      return this.#room();
    };
    for (const piece of head) await post(piece);
    for (let next = await source.next(); next.done !== true; next = await source.next()) await post(next.value);
    const end = conversationFrame(FRAME.bodyEnd, this.#port.number(), 32);
    digest.digest().copy(end, CONTENT);
    this.#post(end);
    await this.#room();
  }

  fail(error: ProtocolError): void {
    this.#records = [];
    this.#bodies = [];
    this.#waiting = [];
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const w of wakers) w.reject(error);
  }
}

function checkSize(kind: string, record: readonly Packed[]): void {
  const { length } = packRecords([record]);
  if (length > MAX_RECORD)
    throw new ProtocolError('LimitExceeded', `${kind} of ${length} bytes, at most ${MAX_RECORD} allowed`);
}

/** A body in pieces of at most `BODY_CHUNK`, none empty. */
async function* chunksOf(body: Body): AsyncGenerator<Uint8Array, void, undefined> {
  if (body instanceof Uint8Array) yield* slices(body);
  else for await (const chunk of body) yield* slices(chunk);
}

function* slices(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += BODY_CHUNK) yield bytes.subarray(at, at + BODY_CHUNK);
}
