/** Recorded sessions between real Dovecots: what each of both sides said. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ChannelReader, LineBuffer, type Received } from '@dsync/protocol';

import { MessageParser, printMessage } from '../src/dialects/dovecot/lines.ts';
import { TextReader } from '../src/dialects/dovecot/text-reader.ts';
import { PreambleReader } from '../src/handshake/preamble.ts';

const shared = process.env['DSYNC_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const vectors = join(shared, 'vectors/dovecot-2.3.19');

/** Names of all captures; empty where the recordings are not at hand. */
export const CAPTURES: readonly string[] = existsSync(vectors)
  ? readdirSync(vectors).filter((name) => /^\d\d-/.test(name))
  : [];

/** Which way recorded bytes went. */
export type Direction = 'client-to-server' | 'server-to-client';

/** A message as a line, as every recorded side would write it. */
export { printMessage };

/** All bytes of one direction. */
export function recordedBytes(name: string, direction: Direction): Buffer {
  return readFileSync(join(vectors, name, `${direction}.bin`));
}

/** The dsync stream of one direction, without the doveadm layer in front of and around it. */
export function dsyncBytes(name: string, direction: Direction): Buffer {
  const raw = recordedBytes(name, direction);
  const start = Buffer.from('VERSION\tdsync\t');
  if (direction === 'client-to-server' || raw.indexOf(start) === 0) return raw.subarray(raw.indexOf(start));
  const lines = new LineBuffer();
  lines.push(raw);
  for (let signs = 0; signs < 2;) if (/^[-+]/.test(lines.take() ?? '-')) signs++;
  const reader = new ChannelReader();
  const main = Buffer.concat(
    [...reader.push(lines.rest())].filter((piece) => piece.channel === 0).map((piece) => piece.data),
  );
  return main.subarray(main.indexOf(start));
}

/** One direction of a session, read. `behind`: the bytes after the opening; `whole`: no message is unfinished. */
export interface Decoded {
  readonly messages: readonly Received[];
  readonly whole: boolean;
  readonly preamble: Buffer;
  readonly behind: Buffer;
}

/** Reads the bytes of one direction, `split` at a time. */
export function decode(bytes: Buffer, split = bytes.length): Decoded {
  const preambleReader = new PreambleReader();
  const messages: Received[] = [];
  let reader: TextReader | null = null;
  let behind: Buffer = Buffer.alloc(0);
  let seen = 0;
  for (let at = 0; at < bytes.length; at += split) {
    const chunk = bytes.subarray(at, at + split);
    seen += chunk.length;
    if (reader !== null) {
      reader.push(chunk);
      continue;
    }
    const found = preambleReader.push(chunk);
    if (found === null) continue;
    behind = bytes.subarray(seen - found.rest.length);
    reader = new TextReader(new MessageParser(found.preamble.headers, found.preamble.minor), {
      item: ({ received }) => messages.push(received),
      held: () => undefined,
    });
    reader.push(found.rest);
  }
  return {
    messages,
    whole: reader?.between ?? false,
    preamble: bytes.subarray(0, bytes.length - behind.length),
    behind,
  };
}
