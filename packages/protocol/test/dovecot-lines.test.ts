import { describe, expect } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { MESSAGES, uid, type Kind, type Message, type MessageSpec } from '@dsync/protocol';

import { MessageParser, printMessage } from '../src/dialects/dovecot/lines.ts';
import { DotStuffer, DotUnstuffer, VALUE_END } from '../src/dialects/dovecot/value-stream.ts';
import { decodeText, encodeText } from '../src/dialects/dovecot/utf8.ts';
import { PreambleReader, printPreamble } from '../src/handshake/preamble.ts';
import { KINDS, anyOf } from '../test-kit/index.ts';

const opening = new PreambleReader().push(printPreamble(null))?.preamble;
if (opening === undefined) throw new Error('our own opening is not whole');
const parser = new MessageParser(opening.headers, 5);
const parse = (line: string): Message => parser.parse(line);
const print = (message: Message): string => printMessage(message).toString('latin1');

const nativeNames = (kind: Kind): readonly string[] =>
  Object.entries((MESSAGES[kind] as MessageSpec).optional)
    .filter(([, field]) => field.native === true)
    .map(([name]) => name);

/** What comes back of a message: fields of the native dialect stay at home. */
function inText(message: Message): Record<string, unknown> {
  const names = nativeNames(message.kind);
  return Object.fromEntries(Object.entries(message).filter(([name]) => !names.includes(name)));
}

/** Whether a Dovecot could be told this at all. */
function sayable(message: Message): boolean {
  try {
    printMessage(message);
    return true;
  } catch {
    return false;
  }
}

describe('messages as lines', () => {
  describe.each(KINDS)('%s', (kind) => {
    test.prop([anyOf(kind)])('comes back as it went, or is not sent', (any) => {
      if (!sayable(any)) return;
      const line = print(any);
      expect(line.endsWith('\n') && !line.slice(0, -1).includes('\n')).toBe(true);
      const expected = inText(any);
      if (any.kind === 'mailChange') {
        for (const name of ['addFlags', 'removeFlags', 'finalFlags']) {
          const flags = expected[name];
          if (typeof flags === 'number') expected[name] = flags & 0x1f;
        }
        if (expected['virtualSize'] === 0xffffffffffffffffn) delete expected['virtualSize'];
      }
      expect(parse(line.slice(0, -1))).toEqual(expected);
    });
  });

  test.each<[string, Message, string]>([
    ['a nested name', { kind: 'treeNode', path: ['Work', 'De\tep'], existence: 'n' }, 'NWork\u0001tDe\u00011tep\tn\n'],
    ['nothing absent at the end', { kind: 'mail', guid: '', uid: uid(3) }, 'M\t3\n'],
    ['an absent field between others', { kind: 'mailRequest', uid: uid(3) }, 'R\u0002\t3\n'],
    ['no field at all', { kind: 'finish' }, 'F\n'],
    ['a value that starts like an absent one', { kind: 'finish', error: '\u0002x' }, 'F\u0002\u0002x\n'],
    [
      'bytes that would end a line',
      { kind: 'finish', error: '\0\u0001\t\n\r' },
      'F\u00010\u00011\u0001t\u0001n\u0001r\n',
    ],
    [
      'flags in hexadecimal',
      { kind: 'mailChange', type: 's', uid: uid(1), guid: 'g', finalFlags: 31, received: 255n },
      'Cs\t1\tg\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t1f\t\u0002\t\u0002\tff\n',
    ],
    [
      'keywords',
      { kind: 'mailChange', type: 'f', uid: uid(1), guid: '', keywordChanges: ['+a', '-b', '=c', '&d'] },
      'Cf\t1\t\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t+a\u0001t-b\u0001t=c\u0001t&d\n',
    ],
    [
      'deletions',
      { kind: 'mailboxDelete', separator: '/', escapeChar: '%', directories: [{ hash: 'a'.repeat(32), time: 7 }] },
      `D/\t%\t\u0002\t${'a'.repeat(32)} 7\n`,
    ],
    ['the end of a list', { kind: 'listEnd' }, '.\n'],
    ['the last word', { kind: 'done', error: 'not told' }, 'X\n'],
  ])('%s', (_name, message, line) => {
    expect(print(message)).toBe(line);
  });

  test("an order of fields of its own and unknown fields are the header's right", () => {
    const own = new MessageParser(new Map([['R', ['new', 'uid', 'guid']]]), 5);
    expect(own.parse('Rx\t7\tg\tmore')).toEqual({ kind: 'mailRequest', uid: 7, guid: 'g' });
  });

  test('a peer before 3.2 with GUIDs can store them', () => {
    const line = `B${'a'.repeat(32)}\t1\t1\t0\t1\t0\t0\t\u0002\t\u0002\t\u0002\t`;
    const early = new MessageParser(opening.headers, 1).parse(line);
    expect([early, parse(line)]).toMatchObject([{ haveGuids: true, haveSaveGuids: true }, { haveGuids: true }]);
    expect(parse(line)).not.toHaveProperty('haveSaveGuids');
  });

  test.each([
    ['an unknown item', 'Zx', 'Garbage'],
    ['an empty line', '', 'Garbage'],
    ['UID 0', 'Cs\t0\tg', 'BadValue'],
    ['UID 2^32 - 1', 'Cs\t4294967295\tg', 'BadValue'],
    ['a save without a GUID', 'Cs\t1', 'BadValue'],
    ['a flag change without a GUID', 'Cf\t1\t\u0002', 'BadValue'],
    ['an unknown change', 'Cx\t1\tg', 'BadValue'],
    ['a request for nothing', 'R', 'BadValue'],
    ['a mail without a GUID', 'M\u0002\t1', 'BadValue'],
    ['an attribute without a value', 'Ap\tkey', 'BadValue'],
    ['an attribute with two', 'Ap\tkey\tv\t\t\u0002', 'BadValue'],
    ['an unknown kind of attribute', 'Ax\tkey\tv', 'BadValue'],
    ['a number with a sign', 'Cs\t-1\tg', 'BadValue'],
    ['a number with a blank', 'Cs\t1 \tg', 'BadValue'],
    ['flags above ff', 'Cs\t1\tg\t\u0002\t1\t\u0002\t\u0002\t\u0002\t100', 'BadValue'],
    ['hexadecimal in capitals', 'Cs\t1\tg\t\u0002\t1\t\u0002\t\u0002\t\u0002\tFF', 'BadValue'],
    ['2^64', 'Cs\t1\tg\t\u0002\t18446744073709551616', 'BadValue'],
    ['a lock timeout of 0', `Hh${'\t\u0002'.repeat(10)}\t0`, 'BadValue'],
    ['an unknown algorithm', 'Hh\t\u0002\t\u0002\t\u0002\tz', 'BadValue'],
    ['a name with an empty part', 'Na\u0001t\ty', 'BadValue'],
    ['an empty name', 'N\ty', 'BadValue'],
    ['a mailbox GUID in capitals', `Na\ty\t${'A'.repeat(32)}`, 'BadValue'],
    ['a required field that is missing', 'Na', 'BadValue'],
    ['deletions without their time', `D/\t%\t${'a'.repeat(32)}`, 'BadValue'],
  ])('%s is refused', (_name, line, code) => {
    expect(() => parse(line)).toThrow(expect.objectContaining({ name: 'ProtocolError', code }));
  });

  test('an unknown existence is a name that does not exist', () => {
    expect(parse('Na\tq')).toEqual({ kind: 'treeNode', path: ['a'], existence: 'n' });
  });

  test.prop([fc.string({ unit: 'binary' })], { numRuns: 2000 })('any line is a message or a coded error', (line) => {
    try {
      parse(Buffer.from(line).toString('latin1'));
    } catch (error) {
      expect(error).toHaveProperty('name', 'ProtocolError');
    }
  });
});

describe('text that is no UTF-8', () => {
  test.prop([fc.uint8Array({ maxLength: 30 })])('keeps its bytes', (bytes) => {
    const latin = Buffer.from(bytes).toString('latin1');
    expect(encodeText(decodeText(latin)).equals(Buffer.from(bytes))).toBe(true);
  });
  test.each([
    ['caf\u00c3\u00a9', 'café'],
    ['a\u00ffb', 'a\udcffb'],
    ['\u00e5\u008f\u00b0\u00e5', '台\udce5'],
  ])('%j', (bytes, text) => {
    expect(decodeText(bytes)).toBe(text);
  });
});

describe('values behind a line', () => {
  const stuff = (text: string): string =>
    Buffer.concat([new DotStuffer().push(Buffer.from(text, 'latin1')), VALUE_END]).toString('latin1');
  const unstuff = (bytes: Buffer, size = bytes.length): { content: string; rest: string | null } => {
    const unstuffer = new DotUnstuffer();
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      const { content, rest } = unstuffer.push(bytes.subarray(at, at + size));
      parts.push(content);
      if (rest !== null)
        return {
          content: Buffer.concat(parts).toString('latin1'),
          rest: Buffer.concat([rest, bytes.subarray(at + size)]).toString('latin1'),
        };
    }
    return { content: Buffer.concat(parts).toString('latin1'), rest: null };
  };

  test.each([
    ['', '\r\n.\r\n'],
    ['a', 'a\r\n.\r\n'],
    ['.', '..\r\n.\r\n'],
    ['.\n', '..\n\r\n.\r\n'],
    ['a\n.b', 'a\n..b\r\n.\r\n'],
    ['a\r\n.\r\n', 'a\r\n..\r\n\r\n.\r\n'],
    ['a\r.b', 'a\r.b\r\n.\r\n'],
    ['\n.\n.\n', '\n..\n..\n\r\n.\r\n'],
  ])('%j is written as %j', (content, wire) => {
    expect(stuff(content)).toBe(wire);
    expect(unstuff(Buffer.from(`${wire}R`, 'latin1'))).toEqual({ content, rest: 'R' });
  });

  test.each([
    ['.\r\n', ''],
    ['.\n', ''],
    ['a\n.\n', 'a'],
    ['a\r\n.\n', 'a'],
    ['a\n.\r\n', 'a'],
    ['.\rb\r\n.\r\n', '\rb'],
    ['.b\n.c\r\n.\r\n', 'b\nc'],
  ])('%j, as a lenient sender may write it, is read as %j', (wire, content) => {
    for (const size of [1, 2, 3, 100])
      expect(unstuff(Buffer.from(wire, 'latin1'), size)).toEqual({ content, rest: '' });
  });

  const content = fc
    .array(fc.constantFrom('.', '\r', '\n', 'a', '\0', '\u00ff'), { maxLength: 24 })
    .map((a) => a.join(''));
  test.prop([content, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })], { numRuns: 3000 })(
    'any content comes back, in whatever pieces it was written and read',
    (text, writes, reads) => {
      const stuffer = new DotStuffer();
      const bytes = Buffer.from(text, 'latin1');
      const parts: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += writes) parts.push(stuffer.push(bytes.subarray(at, at + writes)));
      const wire = Buffer.concat([...parts, VALUE_END]);
      expect(wire.toString('latin1')).toBe(stuff(text));
      expect(unstuff(Buffer.concat([wire, Buffer.from('.\nS')]), reads)).toEqual({ content: text, rest: '.\nS' });
    },
  );
});
