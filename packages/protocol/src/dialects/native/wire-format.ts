/** Frame types of the native dialect and the layout of their payloads; docs/protocol.md has the grammar. */
import { ProtocolError } from '../../errors.ts';
import { FRAME_HEADER, newFrame, type Frame } from '../../framing/frames.ts';
import { deflate, inflate } from '../../framing/compress.ts';
import { COMPRESS_FROM, FRAME_COST, MAX_FRAME } from '../../limits.ts';

/** Frame types, one byte, with what their payloads hold. */
export const FRAME = {
  /** conversation, length of records, records, bodies one behind the other. */
  batch: 1,
  /** conversation, bytes. */
  chunk: 2,
  /** conversation, SHA-256 of the whole body. */
  bodyEnd: 3,
  /** conversation, number of bytes that its receiver has used up. */
  credit: 4,
  /** Nothing: the master opens no more mailboxes. */
  endMailboxes: 5,
  /** One record `done`: the sender goes away. */
  farewell: 6,
  /** Type of the frame inside, its payload's length, its payload packed with brotli. */
  packed: 7,
} as const;

/** Bytes of a conversation's number. */
const ORDINAL = 4;

/** A frame of one conversation as it waits to be sent or used. */
export interface ConversationFrame {
  readonly type: number;
  readonly conversation: number;
  /** What stands behind the conversation's number. */
  readonly content: Buffer;
  /** What it takes of the conversation's credit. */
  readonly cost: number;
}

/** What a frame takes of its conversation's credit. `payloadLength`: bytes, unpacked. */
export function costOf(payloadLength: number): number {
  return payloadLength + FRAME_COST;
}

/** A frame with room for `length` bytes of content, which start at `CONTENT`. */
export function conversationFrame(type: number, conversation: number, length: number): Buffer {
  const frame = newFrame(type, ORDINAL + length);
  frame.writeUInt32BE(conversation, FRAME_HEADER);
  return frame;
}

/** Where the content of a frame made by `conversationFrame` starts. */
export const CONTENT = FRAME_HEADER + ORDINAL;

/** @throws {ProtocolError} `Garbage` for a payload that is too short */
export function parseConversationFrame(frame: Frame): ConversationFrame {
  if (frame.payload.length < ORDINAL) throw new ProtocolError('Garbage', 'frame cut short');
  return {
    type: frame.type,
    conversation: frame.payload.readUInt32BE(0),
    content: frame.payload.subarray(ORDINAL),
    cost: costOf(frame.payload.length),
  };
}

/** Gives `bytes` of a conversation's credit back, 0 … 2^32 − 1. */
export function creditFrame(conversation: number, bytes: number): Buffer {
  const frame = conversationFrame(FRAME.credit, conversation, 4);
  frame.writeUInt32BE(bytes, CONTENT);
  return frame;
}

/** The bytes that are given back. @throws {ProtocolError} `Garbage` */
export function parseCredit(content: Buffer): number {
  if (content.length !== 4) throw new ProtocolError('Garbage', 'credit of a wrong length');
  return content.readUInt32BE(0);
}

/** Packs whole frames where it pays, and stops trying for a while where it did not. */
export class Packer {
  #skip = 0;
  #misses = 0;

  /** The frame itself, or a smaller one that holds it. */
  pack(frame: Buffer): Buffer {
    const payload = frame.subarray(FRAME_HEADER);
    if (payload.length < COMPRESS_FROM) return frame;
    if (this.#skip > 0) {
      this.#skip--;
      return frame;
    }
    const small = deflate(payload);
    if (small.length > payload.length * 0.9) {
      this.#misses = Math.min(this.#misses + 1, 6);
      this.#skip = 2 ** this.#misses - 1;
      return frame;
    }
    this.#misses = 0;
    const packed = newFrame(FRAME.packed, small.length + 5);
    packed[FRAME_HEADER] = frame[4] ?? 0;
    packed.writeUInt32BE(payload.length, FRAME_HEADER + 1);
    small.copy(packed, FRAME_HEADER + 5);
    return packed;
  }
}

/** @throws {ProtocolError} `Garbage` or `LimitExceeded`; never unpacks more than a frame can hold */
export function unpackFrame(payload: Buffer): Frame {
  if (payload.length < 6) throw new ProtocolError('Garbage', 'frame cut short');
  const type = payload.readUInt8(0);
  const size = payload.readUInt32BE(1);
  if (type !== FRAME.batch && type !== FRAME.chunk)
    throw new ProtocolError('Garbage', `compressed frame of type ${type}`);
  if (size >= MAX_FRAME)
    throw new ProtocolError('LimitExceeded', `compressed frame of ${size} bytes, at most ${MAX_FRAME} allowed`);
  return { type, payload: inflate(payload.subarray(5), size) };
}
