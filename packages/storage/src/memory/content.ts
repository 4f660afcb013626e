/** A mail's bytes and dates in memory. Shared by copies; never changed. */
import type { Body } from '@dsync/protocol';

import type { MailContent } from '../mail-store.ts';

const WHOLE = 64 * 1024;
const CR = 0x0d;
const LF = 0x0a;

/** Dates in Unix seconds. */
export interface ContentFacts {
  readonly received: number;
  readonly saved?: number;
  readonly pop3Uidl?: string;
  readonly pop3Order?: number;
}

export class Content {
  readonly bytes: Uint8Array;
  readonly facts: ContentFacts;
  #virtualSize: number | null = null;

  constructor(bytes: Uint8Array, facts: ContentFacts) {
    this.bytes = bytes;
    this.facts = facts;
  }

  /** Bytes with CRLF line ends. */
  get virtualSize(): number {
    this.#virtualSize ??= this.bytes.length + bareLineFeeds(this.bytes);
    return this.#virtualSize;
  }

  /** The same bytes with other facts. */
  with(facts: Partial<ContentFacts>): Content {
    return new Content(this.bytes, { ...this.facts, ...facts });
  }

  open(): MailContent {
    const { bytes } = this;
    return {
      ...this.facts,
      body: bytes.length <= WHOLE ? bytes : chunks(bytes),
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

/** @throws whatever reading the body throws */
export async function readWhole(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += WHOLE) yield bytes.subarray(at, at + WHOLE);
}

function bareLineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) count++;
  }
  return count;
}
