/** Metadata entries as messages and back. */
import type { MessageOf, Received } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { Attribute } from '@dsync/storage';

/** A metadata value larger than this is no metadata: it is refused before it fills the memory. */
const MAX_VALUE = 1024 * 1024;

/** A Dovecot keeps times of scripts alone, so that the time of anything else would win over every change of its own. */
const TIMED_BY_DOVECOT = 'vendor/vendor.dovecot/pvt/sieve/';

/** A list of entries as it travels, without the end of the list. A Dovecot is told no time that it would not keep itself. */
export function* attributeMessages(
  attributes: readonly Attribute[],
  peerIsDovecot: boolean,
): Generator<MessageOf<'attribute'>> {
  for (const { scope, key, value, changedAt, modseq } of attributes) {
    yield {
      kind: 'attribute',
      type: scope === 'private' ? 'p' : 's',
      key,
      ...(value === null ? { deleted: true } : { value }),
      ...(changedAt > 0 && (!peerIsDovecot || key.startsWith(TIMED_BY_DOVECOT)) ? { lastChange: changedAt } : {}),
      ...(modseq > 0n ? { modseq } : {}),
    };
  }
}

/** @throws {ProtocolError} `BadValue` unless it has exactly one of value, stream, deleted; `LimitExceeded` */
export async function receiveAttribute(message: Extract<Received, { kind: 'attribute' }>): Promise<Attribute> {
  const value = message.deleted ? null : message.body === undefined ? message.value : await text(message.body);
  if (value === undefined)
    throw new ProtocolError('BadValue', 'the peer’s metadata entry has neither value nor deletion');
  return {
    scope: message.type === 'p' ? 'private' : 'shared',
    key: message.key,
    value,
    changedAt: message.lastChange ?? 0,
    modseq: message.modseq ?? 0n,
  };
}

async function text(body: NonNullable<Extract<Received, { kind: 'attribute' }>['body']>): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_VALUE)
      throw new ProtocolError('LimitExceeded', `a metadata value of the peer is larger than ${MAX_VALUE} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
