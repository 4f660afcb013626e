/**
 * The server's half of the doveadm layer after its login: channels in one stream. Each packet is a byte of channel, 32
 * bits big-endian of length, and the data; the stream format of doveadm 1.4 switches channels in place by marks.
 */
import { ProtocolError } from '../errors.ts';
import { MAX_PACKET } from './limits.ts';

/** The session's own bytes. */
export const MAIN_CHANNEL = 0;

/** Log lines, `L`. */
export const LOG_CHANNEL = 0x4c;

/** Bytes of one channel as they came; where a piece ends means nothing. */
export interface Piece {
  readonly channel: number;
  readonly data: Buffer;
}

const HEADER = 5;

/** The header of one packet; the data follow. */
export function packetHeader(channel: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt8(channel, 0);
  header.writeUInt32BE(length, 1);
  return header;
}

interface Demultiplexer {
  push(chunk: Buffer): Piece[];
}

/** Packets are passed on as their bytes come, not when they are whole. */
class PacketDemultiplexer implements Demultiplexer {
  #header: Buffer = Buffer.alloc(0);
  #channel = MAIN_CHANNEL;
  #left = 0;

  push(chunk: Buffer): Piece[] {
    const pieces: Piece[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left > 0) {
        const data = rest.subarray(0, this.#left);
        pieces.push({ channel: this.#channel, data });
        this.#left -= data.length;
        rest = rest.subarray(data.length);
        continue;
      }
      const wanted = HEADER - this.#header.length;
      this.#header = Buffer.concat([this.#header, rest.subarray(0, wanted)]);
      rest = rest.subarray(wanted);
      if (this.#header.length === HEADER) this.#open();
    }
    return pieces;
  }

  #open(): void {
    this.#channel = this.#header.readUInt8(0);
    this.#left = this.#header.readUInt32BE(1);
    this.#header = Buffer.alloc(0);
    if (this.#left > MAX_PACKET)
      throw new ProtocolError('LimitExceeded', `a packet of ${this.#left} bytes, more than ${MAX_PACKET}`);
  }
}

const MAGIC = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]);

/** What every mark in the stream format begins with. */
export const STREAM_MARK: readonly number[] = [0x03, 0xfe];

/** After the magic: format version 0, and the mark with its length before it. */
const STREAM_HEADER = Buffer.from([0x00, 0x02, ...STREAM_MARK]);

/** How the stream format begins. */
export const STREAM_MAGIC: Buffer = Buffer.concat([MAGIC, STREAM_HEADER]);

class StreamDemultiplexer implements Demultiplexer {
  #channel = MAIN_CHANNEL;
  /** A possible prefix that the last chunk ended in. */
  #held: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Piece[] {
    const data = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = Buffer.alloc(0);
    const pieces: Piece[] = [];
    let from = 0;
    const emit = (to: number): void => {
      if (to > from) pieces.push({ channel: this.#channel, data: data.subarray(from, to) });
    };
    for (let at = data.indexOf(3); at >= 0; at = data.indexOf(3, at)) {
      const known = prefixLength(data, at);
      if (known === 'incomplete') {
        emit(at);
        this.#held = Buffer.from(data.subarray(at));
        return pieces;
      }
      if (known === 'literal') {
        at += 1;
        continue;
      }
      emit(at);
      if (known === 'escaped') {
        pieces.push({ channel: this.#channel, data: data.subarray(at, at + 1) });
        at += 3;
      } else {
        this.#channel = data.readUInt8(at + 3);
        at += 4;
      }
      from = at;
    }
    emit(data.length);
    return pieces;
  }
}

/** What the byte 03 at `at` begins. */
function prefixLength(data: Buffer, at: number): 'incomplete' | 'literal' | 'escaped' | 'switch' {
  if (at + 1 >= data.length) return 'incomplete';
  if (data[at + 1] !== 0xfe) return 'literal';
  if (at + 2 >= data.length) return 'incomplete';
  if (data[at + 2] === 1) return 'escaped';
  if (data[at + 2] !== 0) throw new ProtocolError('Garbage', 'an unknown mark in the multiplexed stream');
  return at + 3 < data.length ? 'switch' : 'incomplete';
}

/** Reads either format; the first five bytes tell which it is. */
export class ChannelReader {
  #opening: Buffer | null = Buffer.alloc(0);
  #inner: Demultiplexer = new PacketDemultiplexer();

  /** @throws {ProtocolError} `LimitExceeded`, `Garbage` */
  push(chunk: Buffer): Piece[] {
    if (this.#opening === null) return this.#inner.push(chunk);
    const opening = Buffer.concat([this.#opening, chunk]);
    this.#opening = opening;
    const magic = opening.subarray(0, MAGIC.length);
    if (!magic.equals(MAGIC.subarray(0, magic.length))) {
      this.#opening = null;
      return this.#inner.push(opening);
    }
    const length = MAGIC.length + STREAM_HEADER.length;
    if (opening.length < length) return [];
    if (!opening.subarray(MAGIC.length, length).equals(STREAM_HEADER)) {
      throw new ProtocolError('Garbage', 'an unknown format of the multiplexed stream');
    }
    this.#opening = null;
    this.#inner = new StreamDemultiplexer();
    return this.#inner.push(opening.subarray(length));
  }
}
