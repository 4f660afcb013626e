import { describe, expect } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { deflate, inflate } from '../src/framing/compress.ts';
import { FrameDecoder, newFrame } from '../src/framing/frames.ts';

function frame(type: number, payload: Uint8Array): Buffer {
  const bytes = newFrame(type, payload.length);
  bytes.set(payload, 5);
  return bytes;
}

const header = (length: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(length);
  return bytes;
};

describe('frames', () => {
  test('length counts the type and the payload', () => {
    expect(frame(3, Buffer.from('ab')).toString('hex')).toBe('00000003036162');
  });

  test.prop([
    fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 30 })), { maxLength: 6 }),
    fc.array(fc.nat(9), { minLength: 1, maxLength: 40 }),
  ])('any split of the bytes gives the same frames', (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(([type, payload]) => frame(type, payload)));
    const decoder = new FrameDecoder();
    const seen: [number, string][] = [];
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const size = i < cuts.length ? (cuts[i] ?? 0) : bytes.length;
      for (const f of decoder.push(bytes.subarray(at, at + size))) seen.push([f.type, f.payload.toString('hex')]);
      at += size;
    }
    expect(seen).toEqual(frames.map(([type, payload]) => [type, Buffer.from(payload).toString('hex')]));
    expect(decoder.pending).toBe(0);
  });

  test.each([
    ['1 MiB', 1024 * 1024, null],
    ['1 MiB and one byte', 1024 * 1024 + 1, 'LimitExceeded'],
    ['4 GiB less one', 0xffffffff, 'LimitExceeded'],
    ['nothing', 0, 'Garbage'],
  ])('a frame of %s is judged by its header alone, in one piece or byte by byte', (_name, length, code) => {
    const whole = (): unknown => new FrameDecoder().push(header(length));
    const bytewise = (): void => {
      const decoder = new FrameDecoder();
      for (const byte of header(length)) decoder.push(Buffer.of(byte));
    };
    for (const feed of [whole, bytewise]) {
      if (code === null) expect(feed).not.toThrow();
      else expect(feed).toThrow(expect.objectContaining({ code }));
    }
  });
});

describe('compressed payloads', () => {
  const bytes = Buffer.alloc(100_000, 'abc');

  test('come back as they went', () => {
    expect(inflate(deflate(bytes), bytes.length).equals(bytes)).toBe(true);
  });

  test.each([
    ['are larger than announced', deflate(bytes), 99_999],
    ['are smaller than announced', deflate(bytes), 100_001],
    ['are cut short', deflate(bytes).subarray(0, 20), 100_000],
    ['are no brotli', Buffer.from('ffffffff', 'hex'), 10],
  ])('are refused if they %s', (_name, packed, size) => {
    expect(() => inflate(packed, size)).toThrow(expect.objectContaining({ code: 'Garbage' }));
  });
});
