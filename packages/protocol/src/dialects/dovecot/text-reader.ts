import type { Received } from '../../channel.ts';
import { ProtocolError } from '../../errors.ts';
import { BODY_CHUNK, INLINE_BODY, MAX_TEXT_LINE, TEXT_MESSAGE_COST } from '../../limits.ts';
import { Pieces } from '../../framing/pieces.ts';
import type { Message } from '../../table.ts';
import type { MessageParser } from './lines.ts';
import { TextBody } from './text-body.ts';
import { DotUnstuffer } from './value-stream.ts';

/** A message as it waits to be used. */
export interface Item {
  readonly received: Received;
  /** Bytes that it keeps, without those of a large body. */
  readonly cost: number;
}

/** Who gets what a reader finds. */
export interface ItemSink {
  item(item: Item): void;
  /** Bytes of a large body came (positive) or were used (negative). */
  held(bytes: number): void;
}

/** Dovecot's text as a stream of messages: lines, and the values behind some of them. */
export class TextReader {
  readonly #parser: MessageParser;
  readonly #sink: ItemSink;
  readonly #line = new Pieces();
  #value: ValueUnderWay | null = null;

  constructor(parser: MessageParser, sink: ItemSink) {
    this.#parser = parser;
    this.#sink = sink;
  }

  /** True between messages: an end of the stream here cuts nothing short. */
  get between(): boolean {
    return this.#value === null && this.#line.length === 0;
  }

  /** @throws {ProtocolError} for a line that is none, or too long */
  push(chunk: Buffer): void {
    let rest: Buffer = chunk;
    while (rest.length > 0) {
      if (this.#value !== null) {
        const after = this.#value.push(rest);
        if (after === null) return;
        this.#value = null;
        rest = after;
        continue;
      }
      const end = rest.indexOf(0x0a);
      const part = end < 0 ? rest : rest.subarray(0, end);
      if (this.#line.length + part.length > MAX_TEXT_LINE)
        throw new ProtocolError('LimitExceeded', `line of over ${MAX_TEXT_LINE} bytes`);
      if (end < 0) {
        this.#line.push(part);
        return;
      }
      rest = rest.subarray(end + 1);
      if (this.#line.length === 0) this.#message(part);
      else {
        this.#line.push(part);
        this.#message(this.#line.take());
      }
    }
  }

  /** The stream ended in the middle of something. */
  end(error: ProtocolError): void {
    this.#value?.end(error);
  }

  #message(line: Buffer): void {
    const length = line.length > 0 && line[line.length - 1] === 0x0d ? line.length - 1 : line.length;
    const message = this.#parser.parse(line.toString('latin1', 0, length));
    if ((message.kind === 'mail' || message.kind === 'attribute') && message.stream === true) {
      this.#value = new ValueUnderWay(message, length, this.#sink);
    } else {
      this.#sink.item({ received: message, cost: length + TEXT_MESSAGE_COST });
    }
  }
}

/** The bytes behind one line: gathered while they are few, else passed on as they come. */
class ValueUnderWay {
  readonly #message: Message;
  readonly #lineLength: number;
  readonly #sink: ItemSink;
  readonly #unstuffer = new DotUnstuffer();
  readonly #pieces = new Pieces();
  #body: TextBody | null = null;

  constructor(message: Message, lineLength: number, sink: ItemSink) {
    this.#message = message;
    this.#lineLength = lineLength;
    this.#sink = sink;
  }

  /** Returns what stands behind the value's end, null before it. */
  push(chunk: Buffer): Buffer | null {
    const { content, rest } = this.#unstuffer.push(chunk);
    if (content.length > 0) this.#piece(content);
    if (rest !== null) this.#whole();
    return rest;
  }

  #piece(piece: Buffer): void {
    if (this.#body !== null) {
      for (let at = 0; at < piece.length; at += BODY_CHUNK) this.#body.push(piece.subarray(at, at + BODY_CHUNK));
      return;
    }
    this.#pieces.push(piece);
    if (this.#pieces.length <= INLINE_BODY) return;
    const body = new TextBody((bytes) => this.#sink.held(bytes));
    this.#body = body;
    this.#piece(this.#pieces.take());
    this.#deliver(body, 0);
  }

  #whole(): void {
    if (this.#body !== null) {
      this.#body.finish();
      return;
    }
    // Copied, so that a waiting mail keeps its own bytes and not the carrier's whole chunks.
    const body = this.#pieces.takeCopy();
    this.#deliver(body, body.length);
  }

  #deliver(body: Buffer | TextBody, bytes: number): void {
    // The message has `stream`, which is exactly when a body goes with it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked field by field against the table
    const received = { ...this.#message, body } as Received;
    this.#sink.item({ received, cost: this.#lineLength + bytes + TEXT_MESSAGE_COST });
  }

  end(error: ProtocolError): void {
    this.#body?.fail(error);
  }
}
