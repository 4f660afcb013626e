import { describe, expect } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { Pieces } from '../src/framing/pieces.ts';

describe('gathered pieces', () => {
  test.prop([fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 30 })])('are their whole', (list) => {
    const pieces = new Pieces();
    for (const piece of list) pieces.push(piece);
    expect(pieces.length).toBe(list.reduce((sum, piece) => sum + piece.length, 0));
    expect(pieces.take().equals(Buffer.concat(list))).toBe(true);
    expect(pieces.length).toBe(0);
    pieces.push(Buffer.from('next'));
    expect(pieces.takeCopy().toString()).toBe('next');
  });

  test('that come one by one do not change when the carrier uses its memory again', () => {
    const pieces = new Pieces();
    const shared = Buffer.alloc(1);
    for (let n = 0; n < 200_000; n++) {
      shared[0] = n % 251;
      pieces.push(shared);
    }
    const whole = pieces.take();
    expect(whole.length).toBe(200_000);
    expect(whole.every((byte, n) => byte === n % 251)).toBe(true);
  });
});
