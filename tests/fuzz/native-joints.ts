/** The joints of a native session: its opening, then frames. */
import type { Joints } from './mutate.ts';

/** Bytes of a frame's length. */
const LENGTH = 4;

/** Parts are the opening and whole frames. */
export const FRAMES: Joints = {
  /** What is no whole frame stays in one piece. */
  split(bytes) {
    const end = bytes.indexOf('\n.\n');
    let at = end < 0 ? 0 : end + 3;
    const parts = [bytes.subarray(0, at)];
    while (at + LENGTH < bytes.length) {
      const size = LENGTH + bytes.readUInt32BE(at);
      if (size === LENGTH || at + size > bytes.length) break;
      parts.push(bytes.subarray(at, at + size));
      at += size;
    }
    return at < bytes.length ? [...parts, bytes.subarray(at)] : parts;
  },
  /** With the lengths that the frames have now. */
  join: ([opening, ...frames]) => Buffer.concat([opening ?? Buffer.alloc(0), ...frames.map(withItsLength)]),
};

function withItsLength(frame: Buffer): Buffer {
  if (frame.length <= LENGTH) return frame;
  const bytes = Buffer.from(frame);
  bytes.writeUInt32BE(bytes.length - LENGTH, 0);
  return bytes;
}
