/** What a server says after a login, for clients of every minor. */
import { fc, test as property } from '@fast-check/jest';
import { expect, test } from '@jest/globals';

import { ChannelReader, channelWriterFor, printLogLine } from '@dsync/protocol';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const STREAM = '\xff\xff\xff\xff\xff\0\u0002\u0003\xfe';

test.each([
  [0, '\n+\nHELLO'],
  [1, '\0\0\0\0\u0003\n+\nL\0\0\0\u0009\u0003careful\n\0\0\0\0\u0005HELLO'],
  [2, '\0\0\0\0\u0003\n+\nL\0\0\0\u0009\u0003careful\n\0\0\0\0\u0005HELLO'],
  [3, '\0\0\0\0\u0003\n+\nL\0\0\0\u0009\u0003careful\n\0\0\0\0\u0005HELLO'],
  [4, `${STREAM}\n+\n\u0003\xfe\0L\u0003careful\n\u0003\xfe\0\0HELLO`],
  [99, `${STREAM}\n+\n\u0003\xfe\0L\u0003careful\n\u0003\xfe\0\0HELLO`],
])('minor %i', (minor, expected) => {
  const writer = channelWriterFor(minor);
  const pieces = [
    ...writer.main([latin1('\n+\n')]),
    ...writer.log(printLogLine({ level: 'warning', text: 'careful' })),
    ...writer.main([latin1('HE'), latin1('LLO')]),
  ];
  expect(Buffer.concat(pieces).toString('latin1')).toBe(expected);
});

test.each([
  ['no 03 at all', 'ab', 'ab'],
  ['an 03 before another byte', 'a\u0003b', 'a\u0003b'],
  ['an 03 before FE', 'a\u0003\xfeb', 'a\u0003\xfe\u0001\xfeb'],
  ['an 03 at the end', 'ab\u0003', 'ab\u0003\xfe\u0001'],
  ['several of them', '\u0003\u0003\xfe\u0003', '\u0003\u0003\xfe\u0001\xfe\u0003\xfe\u0001'],
])('in a stream: %s', (_name, data, expected) => {
  const writer = channelWriterFor(4);
  expect(Buffer.concat(writer.main([latin1(data)])).toString('latin1')).toBe(STREAM + expected);
});

const bytes = fc.array(fc.constantFrom(0, 1, 3, 0x4c, 0xfe, 0x41), { maxLength: 12 }).map((data) => Buffer.from(data));

property.prop([fc.constantFrom(1, 4), fc.array(fc.tuple(fc.boolean(), bytes)), fc.integer({ min: 1, max: 7 })])(
  'what is written is read again, however it is cut',
  (minor, writes, size) => {
    const writer = channelWriterFor(minor);
    const sent = Buffer.concat(
      writes.flatMap(([isLog, data]) =>
        isLog ? writer.log(data) : writer.main([data.subarray(0, 3), data.subarray(3)]),
      ),
    );
    const reader = new ChannelReader();
    const heard: Record<number, Buffer[]> = { 0: [], 0x4c: [] };
    for (let at = 0; at < sent.length; at += size)
      for (const { channel, data } of reader.push(sent.subarray(at, at + size))) heard[channel]?.push(data);
    const said = (isLog: boolean): Buffer =>
      Buffer.concat(writes.filter(([log]) => log === isLog).map(([, data]) => data));
    expect(Buffer.concat(heard[0] ?? []).equals(said(false))).toBe(true);
    expect(Buffer.concat(heard[0x4c] ?? []).equals(said(true))).toBe(true);
  },
);
