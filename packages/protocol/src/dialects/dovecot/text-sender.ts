import type { Body } from '../../channel.ts';
import { asError, ProtocolError } from '../../errors.ts';
import { BATCH_BYTES } from '../../limits.ts';
import type { Wire } from '../../session/wire.ts';
import type { Message } from '../../table.ts';
import { printMessage } from './lines.ts';
import { DotStuffer, VALUE_END } from './value-stream.ts';

const RESOLVED = Promise.resolve();

/** The sending half of a session in text: one line after the other, whoever sends them. */
export class TextSender {
  readonly #wire: Wire;
  #gathered: Uint8Array[] = [];
  #length = 0;
  #turn: Promise<void> | null = null;
  #flushing = false;
  #receivers = 0;
  #broken: ProtocolError | null = null;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Stops all sending; what is gathered is dropped. */
  fail(error: ProtocolError): void {
    this.#broken ??= error;
    this.#gathered = [];
    this.#length = 0;
  }

  send(message: Message, body: Body | undefined): Promise<void> {
    if (this.#turn !== null || (body !== undefined && !(body instanceof Uint8Array)))
      return this.#inTurn(() => this.#stream(message, body));
    try {
      this.#start(message, body);
      if (body !== undefined) this.#value(new DotStuffer(), body, true);
    } catch (error) {
      return Promise.reject(asError(error));
    }
    return this.#room();
  }

  /** Hands what was gathered to the wire. */
  seal(): void {
    if (this.#length === 0) return;
    const bytes = this.#gathered.length === 1 ? this.#gathered[0] : Buffer.concat(this.#gathered, this.#length);
    this.#gathered = [];
    this.#length = 0;
    if (bytes !== undefined) this.#wire.write(bytes);
  }

  /** A receiver waits for the peer, who may wait for what was gathered: that goes out, now and as long as it lasts. */
  receiverWaits(): void {
    this.#receivers++;
    this.#idle();
  }

  receiverHas(): void {
    this.#receivers--;
  }

  /** Seals at the end of this turn of the event loop. */
  #idle(): void {
    if (this.#flushing || this.#length === 0) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.seal();
    });
  }

  /** One after the other: nothing may part a line from its value. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const mine = (this.#turn ?? RESOLVED).then(action, action);
    this.#turn = mine;
    const over = (): void => {
      if (this.#turn === mine) this.#turn = null;
    };
    mine.then(over, over);
    return mine;
  }

  #start(message: Message, body: Body | undefined): void {
    if (this.#broken !== null) throw this.#broken;
    if ('stream' in message !== (body !== undefined))
      throw new ProtocolError('BadValue', `${message.kind}: a body goes with stream, and only with it`);
    this.#add(printMessage(message));
  }

  #add(bytes: Uint8Array): void {
    this.#gathered.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= BATCH_BYTES) this.seal();
    else if (this.#receivers > 0) this.#idle();
  }

  #value(stuffer: DotStuffer, chunk: Uint8Array, last: boolean): void {
    this.#add(stuffer.push(chunk));
    if (last) this.#add(VALUE_END);
  }

  async #stream(message: Message, body: Body | undefined): Promise<void> {
    this.#start(message, body);
    if (body !== undefined) {
      const stuffer = new DotStuffer();
      try {
        if (body instanceof Uint8Array) this.#value(stuffer, body, false);
        else
          for await (const chunk of body) {
            if (this.#broken !== null) throw this.#broken;
            this.#value(stuffer, chunk, false);
            await this.#room();
          }
      } catch (error) {
        // A value that was begun can only be ended as if it were whole: nothing at all may follow.
        this.fail(
          error instanceof ProtocolError
            ? error
            : new ProtocolError('Closed', 'a body ended before its time', { cause: error }),
        );
        this.#wire.fail(this.#broken ?? new ProtocolError('Closed', 'a body ended before its time'));
        throw error;
      }
      this.#add(VALUE_END);
    }
    return this.#room();
  }

  #room(): Promise<void> {
    return this.#wire.full ? this.#wire.room() : RESOLVED;
  }
}
