/**
 * Frames: `length` (32 bits, big-endian, of what follows), `type` (8 bits), payload. Nothing here knows messages.
 */
import { ProtocolError } from '../errors.ts';
import { MAX_FRAME } from '../limits.ts';
import { Pieces } from './pieces.ts';

/** One frame without its length. */
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
  readonly #kept = new Pieces();
  /** Bytes of the frame under way, header included, once its header is known. */
  #wanted = 0;

  /** Bytes kept of a frame that is not complete. */
  get pending(): number {
    return this.#kept.length;
  }

  /**
   * Takes any piece of the stream and gives the frames that it completes.
   * @throws {ProtocolError} `LimitExceeded` for a frame over `MAX_FRAME`, `Garbage` for one of no length
   */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    if (this.#kept.length > 0) rest = this.#complete(rest, frames);
    while (rest.length >= FRAME_HEADER) {
      const size = frameSize(rest);
      if (rest.length < size) {
        this.#wanted = size;
        break;
      }
      frames.push(frameOf(rest.subarray(0, size)));
      rest = rest.subarray(size);
    }
    if (rest.length > 0) this.#kept.push(rest);
    return frames;
  }

  /** Completes the kept frame with as much of `bytes` as it needs; returns what is left over. */
  #complete(bytes: Buffer, frames: Frame[]): Buffer {
    let rest = bytes;
    if (this.#wanted === 0) {
      const missing = FRAME_HEADER - this.#kept.length;
      this.#kept.push(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (this.#kept.length < FRAME_HEADER) return rest;
      const header = this.#kept.take();
      this.#wanted = frameSize(header);
      this.#kept.push(header);
    }
    const missing = this.#wanted - this.#kept.length;
    if (missing > 0) {
      this.#kept.push(rest.subarray(0, missing));
      rest = rest.subarray(missing);
    }
    if (this.#kept.length < this.#wanted) return rest;
    this.#wanted = 0;
    frames.push(frameOf(this.#kept.take()));
    return rest;
  }
}

function frameOf(whole: Buffer): Frame {
  return { type: whole.readUInt8(4), payload: whole.subarray(FRAME_HEADER) };
}

/** Whole size of the frame whose header starts `bytes`; checked before anything is kept for it. */
function frameSize(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length === 0) throw new ProtocolError('Garbage', 'frame without a type');
  if (length > MAX_FRAME)
    throw new ProtocolError('LimitExceeded', `frame of ${length} bytes, at most ${MAX_FRAME} allowed`);
  return length + 4;
}
