import { createHash } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';
import { fc, test as property } from '@fast-check/jest';

import { createPipe, openChannel, ProtocolError, type Body } from '@dsync/protocol';

import { deflate } from '../src/framing/compress.ts';
import { newFrame } from '../src/framing/frames.ts';
import { FRAME } from '../src/dialects/native/wire-format.ts';
import { printPreamble } from '../src/handshake/preamble.ts';
import { batch, batchOf, frameOf, HELLO, rawPeer } from './raw-peer.ts';
import { BOX } from './sample-messages.ts';

const END = { kind: 'listEnd' } as const;
const MAIL = 0x4d;
const sha = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
/** A mail record whose body lies inside the batch. */
const inline = (length: number, digest: Uint8Array): unknown[] => [
  MAIL,
  'g',
  null,
  null,
  null,
  null,
  null,
  [length, digest],
];

function raw(type: number, payload: Uint8Array): Buffer {
  const frame = newFrame(type, payload.length);
  frame.set(payload, 5);
  return frame;
}

function packed(type: number, size: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(size, 1);
  return raw(FRAME.packed, Buffer.concat([head, bytes]));
}

async function readAll(body: Body | undefined): Promise<number> {
  if (body === undefined) return 0;
  if (body instanceof Uint8Array) return body.length;
  let size = 0;
  for await (const piece of body) size += piece.length;
  return size;
}

describe('a session with a hostile peer ends with a coded error', () => {
  test.each<[string, string, () => Buffer]>([
    ['a frame over 1 MiB', 'LimitExceeded', () => Buffer.from('0010000101', 'hex')],
    ['a frame of an unknown type', 'Garbage', () => raw(99, Buffer.of(0, 0, 0, 0))],
    ['a frame too short for its conversation', 'Garbage', () => raw(FRAME.batch, Buffer.of(0, 0))],
    ['a batch too short for its records', 'Garbage', () => frameOf(FRAME.batch, 0, Buffer.of(0, 0, 0, 9, 0x90))],
    ['an empty batch', 'Garbage', () => batch(0, [])],
    [
      '4,097 records in a batch',
      'LimitExceeded',
      () =>
        batch(
          0,
          Array.from({ length: 4097 }, () => [0x2e]),
        ),
    ],
    ['an unknown message', 'Garbage', () => batch(0, [[0x5a]])],
    ['deep nesting', 'LimitExceeded', () => batch(0, [[[[[[[1]]]]]]])],
    ['a message of mailboxes in the session', 'Unexpected', () => batchOf(0, BOX)],
    ['a second handshake', 'Unexpected', () => batchOf(0, HELLO)],
    ['a farewell as a message', 'Unexpected', () => batchOf(0, { kind: 'done' })],
    ['bytes of a body without a mail', 'Unexpected', () => frameOf(FRAME.chunk, 0, Buffer.of(1))],
    ['a mailbox number left out', 'Unexpected', () => batchOf(2, BOX)],
    ['credit for a mailbox that nobody opened', 'Garbage', () => frameOf(FRAME.credit, 7, Buffer.alloc(4))],
    ['credit that nobody used', 'Garbage', () => frameOf(FRAME.credit, 0, Buffer.from('7fffffff', 'hex'))],
    ['credit of three bytes', 'Garbage', () => frameOf(FRAME.credit, 0, Buffer.alloc(3))],
    ['a compressed frame in a compressed frame', 'Garbage', () => packed(FRAME.packed, 10, deflate(Buffer.alloc(10)))],
    ['a compressed frame over 1 MiB', 'LimitExceeded', () => packed(FRAME.batch, 1024 * 1024, Buffer.alloc(8))],
    ['a compressed frame that grows', 'Garbage', () => packed(FRAME.batch, 100, deflate(Buffer.alloc(900_000)))],
    ['a farewell that is none', 'Unexpected', () => raw(FRAME.farewell, Buffer.from('91912e', 'hex'))],
    ['bytes behind the last body', 'Garbage', () => batch(0, [[0x2e]], Buffer.of(1))],
  ])('%s: %s', async (_name, code, bytes) => {
    const { channel, raw: peer } = await rawPeer();
    peer.write(bytes());
    await expect(channel.session.receive()).rejects.toMatchObject({ name: 'ProtocolError', code });
    await expect(channel.acceptMailbox()).rejects.toMatchObject({ code });
    await expect(channel.session.send(END)).rejects.toMatchObject({ code });
    await channel.abort('no');
  });

  test.each<[string, string, () => readonly Buffer[]]>([
    ['a first message that is not the mailbox', 'Unexpected', () => [batchOf(1, END)]],
    ['a second mailbox message', 'Unexpected', () => [batchOf(1, BOX, BOX)]],
    ['a message of the session', 'Unexpected', () => [batchOf(1, BOX, { kind: 'finish' })]],
    [
      'a small mail with a wrong digest',
      'DigestMismatch',
      () => [batchOf(1, BOX), batch(1, [inline(3, sha(Buffer.from('abd')))], Buffer.from('abc'))],
    ],
    [
      'a small mail cut short',
      'Garbage',
      () => [batchOf(1, BOX), batch(1, [inline(4, sha(Buffer.from('abc')))], Buffer.from('abc'))],
    ],
    [
      'a mail of 64 KiB and one byte inside a batch',
      'LimitExceeded',
      () => [batchOf(1, BOX), batch(1, [inline(65_537, sha(Buffer.alloc(65_537)))], Buffer.alloc(65_537))],
    ],
    [
      'a large mail with a wrong digest',
      'DigestMismatch',
      () => [
        batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }),
        frameOf(FRAME.chunk, 1, Buffer.from('abc')),
        frameOf(FRAME.bodyEnd, 1, sha(Buffer.from('abd'))),
      ],
    ],
    [
      'a message within a large mail',
      'Unexpected',
      () => [
        batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }),
        frameOf(FRAME.chunk, 1, Buffer.from('abc')),
        batchOf(1, END),
      ],
    ],
    [
      'a message between a mail and its bytes',
      'Unexpected',
      () => [batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }, END)],
    ],
    [
      'a chunk of 64 KiB and one byte',
      'Unexpected',
      () => [batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }), frameOf(FRAME.chunk, 1, Buffer.alloc(65_537))],
    ],
    [
      'an empty chunk',
      'Unexpected',
      () => [batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }), frameOf(FRAME.chunk, 1, Buffer.alloc(0))],
    ],
    [
      'a digest of 31 bytes',
      'Unexpected',
      () => [batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }), frameOf(FRAME.bodyEnd, 1, Buffer.alloc(31))],
    ],
  ])('in a mailbox, %s: %s', async (_name, code, frames) => {
    const { channel, raw: peer } = await rawPeer();
    for (const frame of frames()) peer.write(frame);
    const mailbox = await channel.acceptMailbox();
    const drain = async (): Promise<void> => {
      for (;;) {
        const message = await mailbox?.receive();
        if (message?.kind === 'mail') await readAll(message.body);
      }
    };
    await expect(drain()).rejects.toMatchObject({ name: 'ProtocolError', code });
    await expect(channel.session.receive()).rejects.toMatchObject({ code });
    await channel.close();
  });

  test('a mail whose digest is wrong is not handed out', async () => {
    const { channel, raw: peer } = await rawPeer();
    peer.write(batchOf(1, BOX));
    peer.write(batch(1, [inline(3, sha(Buffer.from('abd')))], Buffer.from('abc')));
    const mailbox = await channel.acceptMailbox();
    expect(await mailbox?.receive()).toMatchObject({ kind: 'mailbox' });
    await expect(mailbox?.receive()).rejects.toMatchObject({ code: 'DigestMismatch', retry: true });
    await channel.close();
  });

  test('one mailbox more than the window is refused, the window is not', async () => {
    const { channel, raw: peer } = await rawPeer();
    for (let i = 1; i <= 4; i++) peer.write(batchOf(i, BOX));
    for (let i = 1; i <= 4; i++) expect(await channel.acceptMailbox()).not.toBeNull();
    for (let i = 5; i <= 9; i++) peer.write(batchOf(i, BOX));
    await expect(channel.session.receive()).rejects.toMatchObject({ code: 'LimitExceeded' });
    await channel.close();
  });

  test('more than its credit is refused, its credit is not', async () => {
    const { channel, raw: peer } = await rawPeer();
    peer.write(batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }));
    const chunk = frameOf(FRAME.chunk, 1, Buffer.alloc(64 * 1024));
    for (let i = 0; i < 31; i++) peer.write(chunk);
    const mailbox = await channel.acceptMailbox();
    expect(await mailbox?.receive()).toMatchObject({ kind: 'mailbox' });
    for (let i = 0; i < 3; i++) peer.write(chunk);
    await expect(channel.session.receive()).rejects.toMatchObject({ code: 'LimitExceeded' });
    await channel.close();
  });

  test('a compressed frame that was not agreed is refused', async () => {
    const { channel, raw: peer } = await rawPeer({ compress: false });
    peer.write(packed(FRAME.batch, 10, deflate(Buffer.alloc(10))));
    await expect(channel.session.receive()).rejects.toMatchObject({ code: 'Unexpected' });
    await channel.close();
  });

  test('a master takes no mailbox from its slave', async () => {
    const { channel, raw: peer } = await rawPeer({ role: 'master' });
    peer.write(batchOf(1, BOX));
    await expect(channel.session.receive()).rejects.toMatchObject({ code: 'Unexpected' });
    await channel.close();
  });

  test("a peer's reason is one short line without control characters", async () => {
    const { channel, raw: peer } = await rawPeer();
    peer.write(
      raw(
        FRAME.farewell,
        batchOf(0, { kind: 'done', error: `a\r\n\u001b[31m\u202eb${'x'.repeat(1000)}` }).subarray(13),
      ),
    );
    const error: unknown = await channel.session.receive().catch((e: unknown) => e);
    if (!(error instanceof ProtocolError)) throw new Error('no error');
    expect(error.code).toBe('PeerFailed');
    expect(error.message).toMatch(/^the other side failed: a \[31m bx+…$/);
    expect(error.message.length).toBeLessThan(330);
    await channel.close();
  });

  test('a name that has its own opinion of where it lies is only text', async () => {
    const { channel, raw: peer } = await rawPeer();
    peer.write(batchOf(0, { kind: 'treeNode', path: ['..', '/etc/passwd', '\0'], existence: 'y' }));
    expect(await channel.session.receive()).toEqual({
      kind: 'treeNode',
      path: ['..', '/etc/passwd', '\0'],
      existence: 'y',
    });
    await channel.close();
  });
});

describe('openings that lead nowhere', () => {
  test.each<[string, Buffer, string]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'Garbage'],
    [
      'a farewell at once',
      Buffer.concat([printPreamble([]), raw(FRAME.farewell, Buffer.from('919158', 'hex'))]),
      'PeerFailed',
    ],
    ['something else than the handshake', Buffer.concat([printPreamble([]), batchOf(0, END)]), 'Unexpected'],
  ])('%s', async (_name, bytes, code) => {
    const [carrier, peer] = createPipe();
    peer.resume();
    peer.write(bytes);
    const opened = openChannel(carrier, { role: 'slave', handshake: { kind: 'handshake', hostname: 'us' } });
    await expect(opened).rejects.toMatchObject({ name: 'ProtocolError', code });
    peer.destroy();
  });

  test('a peer without the native dialect, when we insist on it', async () => {
    const [carrier, peer] = createPipe();
    peer.resume();
    peer.write(printPreamble(null));
    const opened = openChannel(carrier, {
      role: 'slave',
      dialect: 'native',
      handshake: { kind: 'handshake', hostname: 'us' },
    });
    await expect(opened).rejects.toMatchObject({ code: 'Incompatible' });
    peer.destroy();
  });

  test('a peer that closes without a word', async () => {
    const [carrier, peer] = createPipe();
    peer.resume();
    peer.end();
    const opened = openChannel(carrier, { role: 'slave', handshake: { kind: 'handshake', hostname: 'us' } });
    await expect(opened).rejects.toMatchObject({ code: 'Closed', message: 'the other side closed without a word' });
  });
});

describe('any bytes at all', () => {
  const script = Buffer.concat([
    batchOf(0, { kind: 'treeNode', path: ['a'], existence: 'y' }, END),
    batchOf(1, BOX, { kind: 'mail', guid: 'g', stream: true }),
    frameOf(FRAME.chunk, 1, Buffer.from('abc')),
    frameOf(FRAME.bodyEnd, 1, sha(Buffer.from('abc'))),
    batchOf(1, END),
    raw(FRAME.endMailboxes, Buffer.alloc(0)),
  ]);

  /** Takes everything until the end; only coded errors may come. */
  async function listen(bytes: Buffer): Promise<void> {
    const { channel, raw: peer } = await rawPeer();
    peer.end(bytes);
    const expected = (error: unknown): void => {
      if (!(error instanceof ProtocolError)) throw error;
    };
    const all = async (receive: () => Promise<{ readonly body?: Body } | object>): Promise<void> => {
      for (;;) {
        const message = await receive();
        if ('body' in message) await readAll(message.body);
      }
    };
    const mailboxes = async (): Promise<void> => {
      for (let box = await channel.acceptMailbox(); box !== null; box = await channel.acceptMailbox()) {
        const opened = box;
        await all(() => opened.receive()).catch(expected);
      }
    };
    await Promise.all([all(() => channel.session.receive()).catch(expected), mailboxes().catch(expected)]);
    await channel.close();
  }

  property.prop([fc.uint8Array({ maxLength: 200 })], { numRuns: 300 })('end in a coded error', async (bytes) => {
    await listen(Buffer.from(bytes));
  });

  property.prop([fc.array(fc.tuple(fc.nat(script.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })], {
    numRuns: 500,
  })('a session with some bytes changed ends, and never otherwise', async (changes) => {
    const bytes = Buffer.from(script);
    for (const [at, byte] of changes) bytes[at] = byte;
    await listen(bytes);
  });

  property.prop([fc.nat(script.length)], { numRuns: 150 })('a session cut anywhere ends', async (length) => {
    await listen(script.subarray(0, length));
  });
});
