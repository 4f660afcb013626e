import { expect, test } from '@jest/globals';

import type { Received } from '@dsync/protocol';

import { describeWith } from '../../../tests/support/needs.ts';
import { printMessage } from '../src/dialects/dovecot/lines.ts';
import { TextBody } from '../src/dialects/dovecot/text-body.ts';
import { DotStuffer, VALUE_END } from '../src/dialects/dovecot/value-stream.ts';
import { CAPTURES, decode, dsyncBytes } from '../test-kit/captures.ts';
import { bytesOf } from './helpers.ts';

/** Captures without a session: the server refused the login or the user. */
const NO_SESSION = new Set(['08-auth-failure', '09-unknown-user']);

/** All messages written by us, in order. */
async function encode(messages: readonly Received[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (const received of messages) {
    const body = 'body' in received ? received.body : undefined;
    parts.push(printMessage(received));
    if (body !== undefined) parts.push(new DotStuffer().push(await bytesOf(body)), VALUE_END);
  }
  return Buffer.concat(parts);
}

/** What we leave out on purpose: \Recent, sizes that were not computed, the TAB behind the last hashed header. */
function withoutNoise(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/^C[sfe]\t.*$/gm, (line) => {
      const fields = line.split('\t');
      for (const i of [6, 7, 8]) {
        const flags = fields[i];
        if (flags !== undefined && /^[0-9a-f]+$/.test(flags))
          fields[i] = (Number.parseInt(flags, 16) & 0x1f).toString(16);
      }
      if (fields[12] === 'ffffffffffffffff') fields.length = 12;
      while (fields.at(-1) === '\u0002') fields.pop();
      return fields.join('\t');
    })
    .replace(/^H.*$/m, (line) => line.replace('Message-ID\u0001t\t', 'Message-ID\t'));
}

/** Without the recordings one name, whose tests are skipped: a table must have a row. */
const sessions = CAPTURES.length === 0 ? ['01-first-sync'] : CAPTURES.filter((name) => !NO_SESSION.has(name));
const both = sessions.flatMap((name) => [[name, 'client-to-server'] as const, [name, 'server-to-client'] as const]);

describeWith(['vectors'], 'recorded sessions of Dovecot', () => {
  test.each(both)('%s, %s: every byte is understood', (name, direction) => {
    const { messages, whole } = decode(dsyncBytes(name, direction));
    expect(whole).toBe(true);
    expect(messages[0]?.kind).toBe('handshake');
    expect(messages.length).toBeGreaterThan(2);
  });

  test.each(both)('%s, %s: byte by byte it is the same', (name, direction) => {
    const bytes = dsyncBytes(name, direction);
    expect(decode(bytes, 1).messages).toEqual(decode(bytes).messages);
  });

  // Other versions have other headers, so the same values stand elsewhere in their lines.
  const ours = both.filter(([name]) => /^(0|1|2)/.test(name));
  test.each(ours)('%s, %s: what is understood is written as Dovecot 2.3.19 wrote it', async (name, direction) => {
    const { messages, behind } = decode(dsyncBytes(name, direction));
    expect((await encode(messages)).toString('latin1')).toBe(withoutNoise(behind));
  });

  test('the first one says what its transcript says', () => {
    const { messages } = decode(dsyncBytes('01-first-sync', 'client-to-server'));
    expect(messages.slice(0, 4)).toEqual([
      {
        kind: 'handshake',
        hostname: 'cli.example.test',
        algorithm: 'c',
        sendMailRequests: true,
        commitInterval: 100,
        hashedHeaders: ['Date', 'Message-ID'],
        altChar: '_',
      },
      { kind: 'treeNode', path: ['Gone'], existence: 'n', subscribed: true },
      {
        kind: 'treeNode',
        path: ['Résumés 台北'],
        existence: 'y',
        mailboxGuid: 'e8565e30b878046b780200003db85ab9',
        uidValidity: 1795455160,
        uidNext: 2,
        subscribed: true,
      },
      {
        kind: 'treeNode',
        path: ['Work'],
        existence: 'y',
        mailboxGuid: 'e9565e30b878046b780200003db85ab9',
        uidValidity: 1795455161,
        uidNext: 3,
        subscribed: true,
      },
    ]);
    const change = messages.find((m) => m.kind === 'mailChange' && m.uid === 4);
    expect(change).toEqual({
      kind: 'mailChange',
      type: 's',
      uid: 4,
      guid: '1700000004.M4P1.host.example.test',
      modseq: 4n,
      finalFlags: 8,
      keywordChanges: ['&$Label1', '&Work'],
    });
    const bodies = messages.map((m) => ('body' in m ? m.body : undefined)).filter((b) => b !== undefined);
    expect(bodies.some((b) => b instanceof TextBody)).toBe(false);
    const third = bodies[2];
    expect(third instanceof Uint8Array ? Buffer.from(third).toString() : third).toMatch(
      /\n\.leading dot\n\.\.two dots\n\.\nafter single dot\nno dot\. here\nlast line has no newline$/,
    );
  });
});
