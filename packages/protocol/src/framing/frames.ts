/**
 * Frames: `length` (32 bits, big-endian, of what follows), `type` (8 bits), payload. Nothing here knows messages.
 */
import { ProtocolError } from '../errors.ts';
import { MAX_FRAME } from '../limits.ts';

export interface Frame {
  readonly type: number;
  /** A view on bytes that nobody else changes. */
  readonly payload: Buffer;
}

/** Bytes before the payload. */
export const FRAME_HEADER = 5;

/** A buffer for one frame with its header written; the caller fills in the payload from `FRAME_HEADER` on. */
export function newFrame(type: number, payloadLength: number): Buffer {
  const buffer = Buffer.allocUnsafe(FRAME_HEADER + payloadLength);
  buffer.writeUInt32BE(payloadLength + 1, 0);
  buffer[4] = type;
  return buffer;
}

/** Cuts a stream of bytes into frames; keeps what is left for the next chunk. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes of the frame under way, header included, once its header is known. */
  #wanted = 0;

  /** Bytes kept of a frame that is not complete. */
  get pending(): number {
    return this.#length;
  }

  /**
   * Takes any piece of the stream and gives the frames that it completes.
   * @throws {ProtocolError} `LimitExceeded` for a frame over `MAX_FRAME`, `Garbage` for one of no length
   */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    if (this.#length > 0) rest = this.#complete(rest, frames);
    while (rest.length >= FRAME_HEADER) {
      const size = frameSize(rest);
      if (rest.length < size) break;
      frames.push({ type: rest.readUInt8(4), payload: rest.subarray(FRAME_HEADER, size) });
      rest = rest.subarray(size);
    }
    if (rest.length > 0) this.#keep(rest);
    return frames;
  }

  #keep(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    if (this.#wanted === 0 && this.#length >= FRAME_HEADER) this.#wanted = frameSize(this.#joined());
  }

  /** Completes the kept frame with as much of `bytes` as it needs; returns what is left over. */
  #complete(bytes: Buffer, frames: Frame[]): Buffer {
    let rest = bytes;
    if (this.#wanted === 0) {
      const missing = FRAME_HEADER - this.#length;
      this.#keep(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (this.#wanted === 0) return rest;
    }
    const missing = this.#wanted - this.#length;
    if (missing > 0) {
      const part = rest.subarray(0, missing);
      if (part.length > 0) this.#chunks.push(part);
      this.#length += part.length;
      rest = rest.subarray(missing);
    }
    if (this.#length < this.#wanted) return rest;
    const whole = this.#joined();
    this.#chunks = [];
    this.#length = 0;
    this.#wanted = 0;
    frames.push({ type: whole.readUInt8(4), payload: whole.subarray(FRAME_HEADER) });
    return rest;
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#length)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}

/** Whole size of the frame whose header starts `bytes`; checked before anything is kept for it. */
function frameSize(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length === 0) throw new ProtocolError('Garbage', 'frame without a type');
  if (length > MAX_FRAME)
    throw new ProtocolError('LimitExceeded', `frame of ${length} bytes, at most ${MAX_FRAME} allowed`);
  return length + 4;
}
