/**
 * What reads a peer's bytes, each as one function of any bytes. Each returns when everything has come to its end, and throws
 * for what must never happen: an error without a code, or bytes that mean something else when they come in other pieces.
 */
import { strictEqual } from 'node:assert/strict';
import type { Duplex } from 'node:stream';

import type { Body, Channel, Conversation, Received } from '../src/channel.ts';
import { MessageParser, printMessage } from '../src/dialects/dovecot/lines.ts';
import { TextReader } from '../src/dialects/dovecot/text-reader.ts';
import { FrameDecoder } from '../src/framing/frames.ts';
import { fromRecord, unpackRecords } from '../src/dialects/native/records.ts';
import { scanMsgpack } from '../src/dialects/native/scan.ts';
import { ChannelReader } from '../src/doveadm/multiplex.ts';
import {
  LineBuffer,
  parseCommandLine,
  parsePlainLine,
  parseReplyLine,
  parseVersionLine,
} from '../src/doveadm/lines.ts';
import { LogLineReader } from '../src/doveadm/log-lines.ts';
import { joinTabFields, splitTabFields } from '../src/doveadm/tab-escape.ts';
import { ProtocolError } from '../src/errors.ts';
import { PreambleReader } from '../src/handshake/preamble.ts';
import { createPipe } from '../src/pipe.ts';
import { openChannel } from '../src/session/open-channel.ts';
import type { Message } from '../src/table.ts';

/** Runs what may fail with a coded error only; null if it did. */
function coded<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** How a fuzzer's first two bytes say that the others come. */
export interface Delivery {
  readonly role: 'master' | 'slave';
  /** Nobody receives before everything has come. */
  readonly late: boolean;
  readonly pieces: readonly Buffer[];
}

/** What the first two bytes of `input` say of the others. */
export function deliveryOf(input: Buffer): Delivery {
  const [how = 0, largest = 0] = input;
  return {
    role: (how & 1) === 0 ? 'slave' : 'master',
    late: (how & 2) !== 0,
    pieces: split(input.subarray(2), largest, how),
  };
}

/** Small pieces on end; what is behind them comes in one. */
const MOST_PIECES = 200;

/** Pieces of 1 to `largest` bytes from some place on, the same ones for the same arguments; 0: all in one piece. */
function split(bytes: Buffer, largest: number, seed: number): Buffer[] {
  if (largest === 0 || bytes.length === 0) return [bytes];
  let state = seed + bytes.length;
  const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8;
  let at = bytes.length > MOST_PIECES ? next() % bytes.length : 0;
  const pieces = at === 0 ? [] : [bytes.subarray(0, at)];
  while (at < bytes.length && pieces.length < MOST_PIECES) {
    const end = at + 1 + (next() % largest);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  if (at < bytes.length) pieces.push(bytes.subarray(at));
  return pieces;
}

/** A whole session whose peer says that, and closes. */
export async function fuzzSession(input: Buffer): Promise<void> {
  const { role, late, pieces } = deliveryOf(input);
  const [carrier, raw] = createPipe();
  raw.on('error', () => undefined);
  raw.resume();
  const opening = openChannel(carrier, {
    role,
    compress: true,
    window: 4,
    handshake: { kind: 'handshake', hostname: 'us' },
  });
  opening.catch(() => undefined);
  await say(raw, pieces);
  try {
    await using channel = await opening;
    if (late) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([
      hear(channel.session),
      ...(role === 'slave' ? [answer(channel)] : [ask(channel), ask(channel)]),
    ]);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  } finally {
    raw.destroy();
    carrier.destroy();
    // What a session leaves to the next turn would else wait for the last input.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function say(raw: Duplex, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) if (!raw.write(piece)) await Promise.race([drained(raw), closed(raw)]);
  raw.end();
}

const drained = (raw: Duplex): Promise<unknown> => new Promise((resolve) => raw.once('drain', resolve));
const closed = (raw: Duplex): Promise<unknown> => new Promise((resolve) => raw.once('close', resolve));

/** Everything of one conversation, bodies included. */
async function hear(conversation: Conversation): Promise<void> {
  try {
    for (;;) await sizeOf(await conversation.receive());
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

async function sizeOf(received: Received): Promise<number> {
  const body: Body | undefined = 'body' in received ? received.body : undefined;
  if (body === undefined) return 0;
  if (body instanceof Uint8Array) return body.length;
  let size = 0;
  for await (const piece of body) size += piece.length;
  return size;
}

async function answer(channel: Channel): Promise<void> {
  try {
    for (let next = await channel.acceptMailbox(); next !== null; next = await channel.acceptMailbox())
      await hear(next);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

async function ask(channel: Channel): Promise<void> {
  try {
    const mailbox = channel.openMailbox();
    await mailbox.send(BOX);
    await channel.flush();
    await hear(mailbox);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a GUID in a literal
const BOX = {
  kind: 'mailbox',
  mailboxGuid: '0123456789abcdef0123456789abcdef',
  uidValidity: 1,
  uidNext: 1,
  messages: 0,
  firstRecentUid: 1,
  highestModseq: 1n,
  highestPrivateModseq: 0n,
  cacheFields: '',
} as unknown as Message;

/** Dovecot's text, preamble included, read whole and in pieces: both must say the same. */
export async function fuzzText(input: Buffer): Promise<void> {
  const { pieces } = deliveryOf(input);
  strictEqual(await readText(pieces), await readText([input.subarray(2)]));
}

/** What came before an error in the same piece does not count, so two failures need only be the same failure. */
function sameUnlessBoth(one: Told, other: Told): void {
  strictEqual(one.error, other.error);
  if (one.error === null) strictEqual(one.text, other.text);
}

interface Told {
  readonly text: string;
  /** The code of the error that it ended with. */
  readonly error: string | null;
}

/** Tells until the end or an error with a code. */
function tell(read: (told: string[]) => void): Told {
  const told: string[] = [];
  let error: string | null = null;
  try {
    read(told);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    error = cause.code;
  }
  return { text: told.join('\n'), error };
}

/** Everything that was read, as text: the messages, and how it ended. */
async function readText(pieces: readonly Buffer[]): Promise<string> {
  const preamble = new PreambleReader();
  const received: Received[] = [];
  let reader: TextReader | null = null;
  let end = 'more to come';
  try {
    for (const piece of pieces) {
      if (reader === null) {
        const found = preamble.push(piece);
        if (found === null) continue;
        const parser = new MessageParser(found.preamble.headers, found.preamble.minor);
        reader = new TextReader(parser, { item: (item) => received.push(item.received), held: () => undefined });
        reader.push(found.rest);
      } else reader.push(piece);
    }
    if (reader?.between === true) end = 'whole';
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    end = error.code;
  }
  reader?.end(new ProtocolError('Closed', 'over'));
  const told: string[] = [];
  for (const message of received) {
    const size = await sizeOf(message).catch((error: unknown) => {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code;
    });
    // A message that was understood can be said again, unless a Dovecot would not survive it.
    const again = coded(() => printMessage(message));
    told.push(`${message.kind} ${size} ${again?.toString('latin1') ?? 'unspeakable'}`);
  }
  return [...told, end].join('\n');
}

/** Frames and the records in them, in pieces and whole. */
export function fuzzRecords(input: Buffer): void {
  const { pieces } = deliveryOf(input);
  sameUnlessBoth(readFrames(pieces), readFrames([input.subarray(2)]));
  coded(() => {
    const bytes = input.subarray(2);
    scanMsgpack(bytes);
    const records = unpackRecords(bytes);
    if (Array.isArray(records)) for (const record of records) coded(() => fromRecord(record));
  });
}

function readFrames(pieces: readonly Buffer[]): Told {
  const decoder = new FrameDecoder();
  return tell((told) => {
    for (const piece of pieces)
      for (const { type, payload } of decoder.push(piece)) told.push(`${type} ${payload.toString('latin1')}`);
  });
}

/** The lines and packets of the doveadm layer, both directions. */
export function fuzzDoveadm(input: Buffer): void {
  const { pieces } = deliveryOf(input);
  sameUnlessBoth(readLines(pieces), readLines([input.subarray(2)]));
  sameUnlessBoth(readChannels(pieces), readChannels([input.subarray(2)]));
}

function readLines(pieces: readonly Buffer[]): Told {
  const buffer = new LineBuffer();
  return tell((told) => {
    for (const piece of pieces) {
      buffer.push(piece);
      for (let line = buffer.take(); line !== null; line = buffer.take()) {
        told.push(line);
        readLine(line);
      }
    }
  });
}

function readLine(line: string): void {
  for (const service of ['doveadm-server', 'doveadm-client'] as const) coded(() => parseVersionLine(line, service));
  parsePlainLine(line);
  coded(() => parseCommandLine(line));
  parseReplyLine(line);
  const printed = joinTabFields(splitTabFields(line));
  strictEqual(joinTabFields(splitTabFields(printed)), printed);
}

function readChannels(pieces: readonly Buffer[]): Told {
  const reader = new ChannelReader();
  const logs = new Map<number, LogLineReader>();
  const heard = new Map<number, string>();
  const { error } = tell(() => {
    for (const piece of pieces)
      for (const { channel, data } of reader.push(piece)) {
        heard.set(channel, (heard.get(channel) ?? '') + data.toString('latin1'));
        const log = logs.get(channel) ?? new LogLineReader();
        logs.set(channel, log);
        log.push(data);
      }
  });
  return { text: JSON.stringify([...heard]), error };
}
