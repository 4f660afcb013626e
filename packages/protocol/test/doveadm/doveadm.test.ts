import { fc, test as property } from '@fast-check/jest';
import { describe, expect, test } from '@jest/globals';

import {
  ChannelReader,
  LineBuffer,
  LogLineReader,
  packetHeader,
  parseCommandLine,
  parsePlainLine,
  parseReplyLine,
  parseVersionLine,
  printCommandLine,
  printLogLine,
  printPlainLine,
  ProtocolError,
  tabEscape,
  tabUnescape,
} from '@dsync/protocol';

import { describeWith } from '../../../../tests/support/needs.ts';
import { recordedBytes } from '../../test-kit/captures.ts';

property.prop([fc.string({ unit: 'binary' })])(
  'escaping comes back, and leaves nothing that ends a field or line',
  (text) => {
    expect(tabUnescape(tabEscape(text))).toBe(text);
    expect(tabEscape(text)).not.toMatch(/[\t\n\r\0]/);
  },
);

property.prop([fc.boolean(), fc.boolean(), fc.string(), fc.array(fc.string())])(
  'a command line comes back',
  (debug, verbose, user, args) => {
    const command = { debug, verbose: verbose || debug, user, command: 'dsync-server', args };
    expect(parseCommandLine(printCommandLine(command).slice(0, -1))).toEqual(command);
  },
);

describe('command lines', () => {
  test.each([
    ['\tu1\tdsync-server\t-uu1', { debug: false, verbose: false, user: 'u1', command: 'dsync-server', args: ['-uu1'] }],
    ['Dv\tu1\tdsync-server', { debug: true, verbose: true, user: 'u1', command: 'dsync-server', args: [] }],
    [
      'x\tproxy-ttl=1\tu1\tdsync-server\t-uu1',
      { debug: false, verbose: false, user: 'u1', command: 'dsync-server', args: ['-uu1'] },
    ],
    ['\tu\u0001t1\tx', { debug: false, verbose: false, user: 'u\t1', command: 'x', args: [] }],
  ])('%j', (line, expected) => {
    expect(parseCommandLine(line)).toEqual(expected);
  });
  test.each(['', '\t', '\tuser', 'q\tu\tc', 'x\tu\tc'])('%j is refused', (line) => {
    expect(() => parseCommandLine(line)).toThrow(ProtocolError);
  });
});

describe('VERSION', () => {
  test.each([
    ['VERSION\tdoveadm-server\t1\t0', 0],
    ['VERSION\tdoveadm-server\t1\t99', 99],
  ])('%j', (line, minor) => {
    expect(parseVersionLine(line, 'doveadm-server')).toBe(minor);
  });
  test.each([
    'VERSION\tdoveadm-server\t2\t0',
    'VERSION\tdoveadm-client\t1\t0',
    'VERSION\tdoveadm-server\t1\t2\t3',
    'VERSION\tdoveadm-server\t1\t2x',
    'VERSION\tdoveadm-server\t1',
    'GET / HTTP/1.1',
    '',
  ])('%j is refused', (line) => {
    expect(() => parseVersionLine(line, 'doveadm-server')).toThrow(ProtocolError);
  });
});

test('PLAIN comes back; anything else is none', () => {
  expect(parsePlainLine(printPlainLine('pä ss').slice(0, -1))).toEqual({
    login: 'doveadm',
    password: Buffer.from('pä ss'),
  });
  for (const line of ['PLAIN\t', 'PLAIN\t!!!!', 'LOGIN\tAGE=', 'PLAIN\tYWJj', 'plain\tAGRvdmVhZG0AeA=='])
    expect(parsePlainLine(line)).toBeNull();
});

test.each([
  ['+', { ok: true }],
  ['-', { ok: false, word: '', detail: '', exit: 75 }],
  ['-TEMPFAIL', { ok: false, word: 'TEMPFAIL', detail: '', exit: 75 }],
  ['-USAGE', { ok: false, word: 'USAGE', detail: '', exit: 64 }],
  ['-DATAERR', { ok: false, word: 'DATAERR', detail: '', exit: 65 }],
  ['-NOUSER', { ok: false, word: 'NOUSER', detail: '', exit: 67 }],
  ['-NOTFOUND', { ok: false, word: 'NOTFOUND', detail: '', exit: 68 }],
  ['-PROTOCOL', { ok: false, word: 'PROTOCOL', detail: '', exit: 76 }],
  ['-NOPERM', { ok: false, word: 'NOPERM', detail: '', exit: 77 }],
  ['-CHANGED', { ok: false, word: 'CHANGED', detail: '', exit: 2 }],
  ['-NOREPLICATE', { ok: false, word: 'NOREPLICATE', detail: '', exit: 75 }],
  ['-REFERRAL host.example', { ok: false, word: 'REFERRAL', detail: 'host.example', exit: 75 }],
  ['-REFERRAL\ta\u001b[2Jb', { ok: false, word: 'REFERRAL', detail: 'a [2Jb', exit: 75 }],
  ['-EXPIRED', { ok: false, word: 'EXPIRED', detail: '', exit: 75 }],
  ['-UNKNOWN', { ok: false, word: 'UNKNOWN', detail: '', exit: 75 }],
  ['-68', { ok: false, word: '68', detail: '', exit: 68 }],
  ['-0', { ok: false, word: '0', detail: '', exit: 75 }],
  ['-256', { ok: false, word: '256', detail: '', exit: 75 }],
  ['-constructor', { ok: false, word: 'constructor', detail: '', exit: 75 }],
  ['x', null],
])('reply %j', (line, expected) => {
  expect(parseReplyLine(line)).toEqual(expected);
});

test('a line may have as many bytes as the limit, and not one more', () => {
  const exact = new LineBuffer(5);
  exact.push(Buffer.from('12345\nrest'));
  expect([exact.take(), exact.rest().toString()]).toEqual(['12345', 'rest']);
  for (const text of ['123456\n', '123456']) {
    const more = new LineBuffer(5);
    more.push(Buffer.from(text));
    expect(() => more.take()).toThrow(expect.objectContaining({ code: 'LimitExceeded' }));
  }
});

test('bytes that are no UTF-8 are refused', () => {
  const buffer = new LineBuffer();
  buffer.push(Buffer.from([0xff, 0x0a]));
  expect(() => buffer.take()).toThrow(expect.objectContaining({ code: 'Garbage' }));
});

interface Channels {
  main: Buffer;
  logs: string[];
}

function readAll(chunks: readonly Buffer[]): Channels {
  const reader = new ChannelReader();
  const logs = new LogLineReader();
  const all: Channels = { main: Buffer.alloc(0), logs: [] };
  for (const chunk of chunks) {
    for (const { channel, data } of reader.push(chunk)) {
      if (channel === 0) all.main = Buffer.concat([all.main, data]);
      if (channel === 0x4c) for (const line of logs.push(data)) all.logs.push(`${line.level}: ${line.text}`);
    }
  }
  return all;
}

function split(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

property.prop([
  fc.array(fc.tuple(fc.constantFrom(0, 7, 0x4c), fc.uint8Array({ maxLength: 30 }))),
  fc.array(fc.integer({ min: 0, max: 9 })),
])('packets come out whole however they are cut', (packets, sizes) => {
  const bytes = Buffer.concat(
    packets.flatMap(([channel, data]) => [packetHeader(channel, data.length), Buffer.from(data)]),
  );
  const main = Buffer.concat(packets.filter(([channel]) => channel === 0).map(([, data]) => Buffer.from(data)));
  expect(readAll(split(bytes, sizes)).main.equals(main)).toBe(true);
});

test('the stream format, whole and byte by byte', () => {
  const log = printLogLine({ level: 'warning', text: 'careful\nnow' });
  const bytes = Buffer.concat([
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x02, 0x03, 0xfe]),
    Buffer.from('ab\u0003c'),
    Buffer.from([0x03, 0xfe, 0x01]),
    Buffer.from([0x03, 0xfe, 0x00, 0x4c]),
    log,
    Buffer.from([0x03, 0xfe, 0x00, 0x00]),
    Buffer.from([0x03, 0x03, 0xfe, 0x01, 0xfe]),
    Buffer.from('end'),
  ]);
  const expected = {
    main: Buffer.concat([Buffer.from('ab\u0003c'), Buffer.from([3, 3, 3, 0xfe]), Buffer.from('end')]),
    logs: ['warning: careful now'],
  };
  expect(readAll([bytes])).toEqual(expected);
  expect(
    readAll(
      split(
        bytes,
        Array.from(bytes, () => 1),
      ),
    ),
  ).toEqual(expected);
});

test.each([
  ['a packet larger than the limit', Buffer.from([0, 0x7f, 0, 0, 0])],
  ['another version of the stream format', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 0xfe])],
  ['an unknown mark', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0, 2, 3, 0xfe, 3, 0xfe, 9])],
])('%s is refused', (_name, bytes) => {
  expect(() => new ChannelReader().push(bytes)).toThrow(ProtocolError);
});

/** Recorded servers: 2.3.19, 2.4.4 with a log line, and a later one with the stream format. */
const CAPTURES = [
  ['09-unknown-user', 2, true],
  ['01-first-sync', 2, false],
  ['36-2.4.4-desync-log', 3, true],
  ['33-client-HEAD-server-HEAD', 4, false],
  ['35-HEAD-desync-log', 4, true],
] as const;

describeWith(['captures'], 'recorded server', () => {
  test.each(CAPTURES)('%s is read', (name, minor, hasLog) => {
    const buffer = new LineBuffer();
    buffer.push(recordedBytes(name, 'server-to-client'));
    const version = parseVersionLine(buffer.take() ?? '', 'doveadm-client');
    expect([buffer.take(), buffer.take()]).toEqual(['-', '+']);
    const { main, logs } = readAll([buffer.rest()]);
    expect(version).toBe(minor);
    expect(main.toString('latin1')).toMatch(
      name === '09-unknown-user' ? /^\n-NOUSER\n$/ : /^\n\+\nVERSION\tdsync\t3\t\d\n/,
    );
    expect(logs.length > 0).toBe(hasLog);
  });
});
