import { once } from 'node:events';
import { PassThrough } from 'node:stream';

import { expect, test } from '@jest/globals';

import { joinStreams, LineInput } from '@dsync/protocol';

const limits = { maxLine: 100, maxBytes: 250, deadlineMs: 0 };

test('a peer that says nothing is given up at the deadline', async () => {
  const input = new LineInput(new PassThrough(), { ...limits, deadlineMs: 1 });
  await expect(input.line()).rejects.toMatchObject({ code: 'Stalled' });
  input.release();
});

test('a peer that sends a line byte by byte has no more time than others', async () => {
  const stream = new PassThrough();
  const timer = setInterval(() => stream.write('x'), 1);
  const input = new LineInput(stream, { ...limits, maxLine: 1_000_000, maxBytes: 1_000_000, deadlineMs: 20 });
  await expect(input.line()).rejects.toMatchObject({ code: 'Stalled' });
  clearInterval(timer);
  input.release();
});

test('lines are bounded together, too', async () => {
  const stream = new PassThrough();
  const input = new LineInput(stream, limits);
  stream.write(`${'x'.repeat(90)}\n`.repeat(3));
  const read = async (): Promise<never> => {
    for (;;) await input.line();
  };
  await expect(read()).rejects.toMatchObject({ code: 'LimitExceeded' });
  input.release();
});

test('a peer that has left at once is read to its end, by whoever reads on', async () => {
  const stream = new PassThrough();
  stream.end('first\nsecond\nrest');
  const ended = once(stream, 'end');
  const before = new LineInput(stream, limits);
  await ended;
  expect(await before.line()).toBe('first');
  const after = new LineInput(stream, { ...limits, first: before.release() });
  expect(await after.line()).toBe('second');
  const session = joinStreams(stream, stream, { first: after.release() });
  expect(await session.toArray()).toEqual([Buffer.from('rest')]);
  await expect(new LineInput(stream, limits).line()).rejects.toMatchObject({ code: 'Closed' });
});
