/** A peer that says what a test tells it to, byte by byte, and keeps what it hears. */
import type { Duplex } from 'node:stream';

import { createPipe, openChannel, type Channel, type ChannelOptions, type Message } from '@dsync/protocol';

import { packRecords, toRecord } from '../src/dialects/native/records.ts';
import { CONTENT, conversationFrame, FRAME } from '../src/dialects/native/wire-format.ts';
import { printPreamble } from '../src/handshake/preamble.ts';

/** A frame of any type, as it lies on the wire. */
export function frameOf(type: number, conversation: number, content: Uint8Array): Buffer {
  const frame = conversationFrame(type, conversation, content.length);
  frame.set(content, CONTENT);
  return frame;
}

/** A batch of any records, well made or not, with any bytes behind them. */
export function batch(conversation: number, records: readonly unknown[], bodies: Uint8Array = Buffer.alloc(0)): Buffer {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- they need not be well made
  const packed = packRecords(records as Parameters<typeof packRecords>[0]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(packed.length);
  return frameOf(FRAME.batch, conversation, Buffer.concat([length, packed, bodies]));
}

/** A batch of messages. */
export function batchOf(conversation: number, ...messages: readonly Message[]): Buffer {
  return batch(
    conversation,
    messages.map((message) => toRecord(message, 'stream' in message ? { inline: false } : undefined).record),
  );
}

/** What the raw end says first. */
export const HELLO: Message = { kind: 'handshake', hostname: 'raw' };

/** The session under test as a slave (or master), and the raw end of its carrier. */
export async function rawPeer(
  options: Partial<ChannelOptions> = {},
  features: readonly string[] = ['window=4', 'brotli'],
): Promise<{ readonly channel: Channel; readonly raw: Duplex; heard(): Buffer }> {
  const [carrier, raw] = createPipe();
  const heard: Buffer[] = [];
  raw.on('data', (chunk: Buffer) => heard.push(chunk));
  raw.on('error', () => undefined);
  raw.write(Buffer.concat([printPreamble(features), batchOf(0, HELLO)]));
  const channel = await openChannel(carrier, {
    role: 'slave',
    compress: true,
    handshake: { kind: 'handshake', hostname: 'us' },
    ...options,
  });
  return { channel, raw, heard: () => Buffer.concat(heard) };
}
