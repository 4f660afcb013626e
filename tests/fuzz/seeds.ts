/** Well-made inputs: sessions of ours, recorded ones of Dovecot where they are at hand, and files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import { createPipe } from '@dsync/protocol';

import { readOptions } from '../support/options.ts';
import { sharedFolder } from '../support/places.ts';
import { runSync } from '../support/run-sync.ts';
import { Clock, memoryPlaces, Side } from '../support/side.ts';

/** What both ends said in runs between stores in memory. */
export async function ownSessions(dialect: 'native' | 'dovecot'): Promise<Buffer[]> {
  const said: Buffer[] = [];
  for (const [command, words, more] of [
    ['sync', [], ['long']],
    ['sync', ['-f'], []],
    ['backup', [], []],
    ['sync', ['-s', ''], []],
  ] as const) {
    const [a, b] = [await side('near', ['m1', 'n2', 'n3', ...more]), await side('far', ['m1', 'f2'])];
    await using near = await a.open();
    await using far = await b.open();
    for (let times = 0; times < 2; times++) {
      const taps = [new Tap(), new Tap()] as const;
      const result = await runSync(near, far, readOptions(command, words), {
        dialect,
        carrier: () => tapped(taps),
      });
      if (result.exit !== 0) throw new Error('a seed cannot be made', { cause: result.error });
      said.push(...taps.map((tap) => tap.bytes));
    }
  }
  return said;
}

async function side(name: string, labels: readonly string[]): Promise<Side> {
  const made = await Side.make(name, {}, false, memoryPlaces(new Clock()));
  await made.place({
    mailboxes: {
      INBOX: {
        guid: 'a1'.repeat(16),
        uidvalidity: 1001,
        messages: labels.map((guid, i) => ({
          uid: i + 1,
          guid,
          flags: i === 0 ? ['\\Seen', '$Label1'] : [],
          ...(guid === 'long' ? { size: 70_000 } : {}),
        })),
      },
      [`${name}/é`]: {
        guid: (name === 'near' ? 'b1' : 'b2').repeat(16),
        uidvalidity: 1002,
        messages: [{ uid: 7, guid: `${name}-only` }],
      },
    },
    subscriptions: [`${name}/é`],
  });
  return made;
}

class Tap {
  readonly #chunks: Buffer[] = [];

  take(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** A pipe of which both directions are kept. */
function tapped([out, back]: readonly [Tap, Tap]): readonly [Duplex, Duplex] {
  const [near, nearInner] = createPipe();
  const [farInner, far] = createPipe();
  for (const [from, to, tap] of [
    [nearInner, farInner, out],
    [farInner, nearInner, back],
  ] as const) {
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      tap.take(chunk);
      to.write(chunk);
    });
    from.on('end', () => to.end());
  }
  return [near, far];
}

/** Both directions of every recorded session of a Dovecot, as they were on the wire. */
export function recordedWires(): Buffer[] {
  const folder = join(sharedFolder, 'vectors/dovecot-2.3.19');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => ['client-to-server', 'server-to-client'].map((way) => join(folder, name, `${way}.bin`)))
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file));
}

const START = Buffer.from('VERSION\tdsync\t');

/** The sessions alone, where nothing stands between their bytes. */
export function recordedSessions(): Buffer[] {
  return recordedWires().flatMap((bytes) => {
    const at = bytes.indexOf(START);
    return at < 0 ? [] : [bytes.subarray(at)];
  });
}
