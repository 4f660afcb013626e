/** The order in which mails leave. */
import { describe, expect, test } from '@jest/globals';

import { inSendingOrder } from '../../src/mails/sending-order.ts';

const uids = (order: Parameters<typeof inSendingOrder>[1], ...asked: readonly number[]): readonly number[] =>
  inSendingOrder(asked, order, (uid) => uid);

/** 1, 2, … */
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);

describe('mails are sent', () => {
  test('to our own kind as it asks', () => {
    expect(uids('as-asked', 3, 1, 2)).toEqual([3, 1, 2]);
  });

  test('to a mailbox that keeps them as they come, by UID', () => {
    expect(uids('by-uid', 3, 1, 2)).toEqual([1, 2, 3]);
  });

  test('to any other of a Dovecot, of each hundred the first one last', () => {
    expect(uids('in-blocks')).toEqual([]);
    expect(uids('in-blocks', 7)).toEqual([7]);
    expect(uids('in-blocks', 3, 1, 2)).toEqual([2, 3, 1]);
    const sent = uids('in-blocks', ...upTo(202).toReversed());
    expect(sent.toSorted((a, b) => a - b)).toEqual(upTo(202));
    expect([sent[0], sent[98], sent[99], sent[100], sent[199], ...sent.slice(200)]).toEqual([
      2, 100, 1, 102, 101, 202, 201,
    ]);
  });
});
