import { describe, expect } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { mailboxGuid, uid, type Message } from '@dsync/protocol';
import { KINDS, anyOf } from '../test-kit/index.ts';

import { fromRecord, packRecords, toRecord, unpackRecords, type BodyNote } from '../src/dialects/native/records.ts';
import { scanMsgpack } from '../src/dialects/native/scan.ts';

const STREAMED: BodyNote = { inline: false };

function encode(message: Message): Buffer {
  const { record } = toRecord(message, 'stream' in message ? STREAMED : undefined);
  return packRecords([record]);
}

function decode(bytes: Buffer): Message {
  scanMsgpack(bytes);
  const records = unpackRecords(bytes);
  return fromRecord(Array.isArray(records) ? records[0] : undefined).message;
}

describe('messages as records', () => {
  describe.each(KINDS)('%s', (kind) => {
    test.prop([anyOf(kind)])('comes back as it went', (message) => {
      expect(decode(encode(message))).toEqual(message);
    });
  });

  test.each<[string, Message, string]>([
    ['listEnd', { kind: 'listEnd' }, '91912e'],
    ['mailRequest', { kind: 'mailRequest', uid: uid(7) }, '919352c007'],
    [
      'mailChange',
      { kind: 'mailChange', type: 's', uid: uid(1), guid: 'g1', modseq: 2n ** 40n, finalFlags: 8 },
      '919a43a17301a26731c0d30000010000000000c0c0c008',
    ],
    [
      'treeNode',
      {
        kind: 'treeNode',
        path: ['A', 'é'],
        existence: 'y',
        mailboxGuid: mailboxGuid('0123456789abcdef0123456789abcdef'),
        renamedAt: 5e9,
      },
      '91974e92a141a2c3a9a179c4100123456789abcdef0123456789abcdefc0c0d3000000012a05f200',
    ],
    ['finish', { kind: 'finish', requireFullResync: true }, '919446c0c0c3'],
    ['mail', { kind: 'mail', guid: 'x', stream: true }, '91984da178c0c0c0c0c0c3'],
  ])('%s has these bytes', (_name, message, hex) => {
    expect(encode(message).toString('hex')).toBe(hex);
  });

  test('elements behind the known fields are skipped', () => {
    expect(fromRecord([0x52, 'g', 7, 'from a later version', [1, 2]]).message).toEqual({
      kind: 'mailRequest',
      guid: 'g',
      uid: 7,
    });
  });

  test.each<[string, unknown, string]>([
    ['no list', 5, 'Garbage'],
    ['an unknown kind', [0x5a], 'Garbage'],
    ['no kind', [], 'Garbage'],
    ['a required field that is missing', [0x43, 's'], 'BadValue'],
    ['UID 0', [0x43, 's', 0], 'BadValue'],
    ['UID 2^32 - 1', [0x43, 's', 0xffffffff], 'BadValue'],
    ['an unknown type of change', [0x43, 'x', 1], 'BadValue'],
    ['a negative number', [0x43, 's', 1, 'g', null, -1], 'BadValue'],
    ['a number over 64 bits', [0x43, 's', 1, 'g', null, 2n ** 64n], 'BadValue'],
    ['text that is half a character', [0x52, '\ud800'], 'BadValue'],
    ['a name without parts', [0x4e, [], 'y'], 'BadValue'],
    ['a name with an empty part', [0x4e, ['a', ''], 'y'], 'BadValue'],
    ['a name part of 4,097 bytes', [0x4e, ['x'.repeat(4097)], 'y'], 'LimitExceeded'],
    ['a name part of 1,366 three-byte characters', [0x4e, ['台'.repeat(1366)], 'y'], 'LimitExceeded'],
    ['a name of 257 parts', [0x4e, Array(257).fill('x'), 'y'], 'LimitExceeded'],
    ['a text of 256 KiB and one byte', [0x52, 'x'.repeat(256 * 1024 + 1)], 'LimitExceeded'],
    ['a GUID that is all zero', [0x4e, ['a'], 'y', new Uint8Array(16)], 'BadValue'],
    ['a GUID of 15 bytes', [0x4e, ['a'], 'y', new Uint8Array(15)], 'BadValue'],
    ['false for a flag', [0x46, null, null, false], 'BadValue'],
    ['a body with a short digest', [0x4d, 'g', null, null, null, null, null, [1, new Uint8Array(31)]], 'BadValue'],
  ])('refuses %s', (_name, record, code) => {
    expect(() => fromRecord(record)).toThrow(expect.objectContaining({ code }));
  });

  test.each<[string, unknown]>([
    ['a name part of 4,096 bytes', [0x4e, ['x'.repeat(4096)], 'y']],
    ['a name of 256 parts', [0x4e, Array(256).fill('x'), 'y']],
    ['a text of 256 KiB', [0x52, 'x'.repeat(256 * 1024)]],
    ['UID 2^32 - 2', [0x43, 's', 0xfffffffe]],
    ['2^64 - 1', [0x43, 's', 1, 'g', null, 2n ** 64n - 1n]],
  ])('takes %s', (_name, record) => {
    expect(() => fromRecord(record)).not.toThrow();
  });

  test('what a peer would refuse is not sent', () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the types rule out is to be refused too
    const zero = 0 as ReturnType<typeof uid>;
    expect(() => toRecord({ kind: 'mailChange', type: 's', uid: zero }, undefined)).toThrow(
      'mailChange.uid: not a UID',
    );
    expect(() => toRecord({ kind: 'treeNode', path: [''], existence: 'y' }, undefined)).toThrow('treeNode.path');
  });
});

describe('the scan of unread bytes', () => {
  test.each([
    ['nothing', ''],
    ['a map', '8100c0'],
    ['floating point', 'cb4000000000000000'],
    ['an extension', 'd40000'],
    ['false', 'c2'],
    ['the byte that msgpack never uses', 'c1'],
    ['a negative number', 'ff'],
    ['a text cut short', 'a361'],
    ['a long text cut short', 'dbffffffff'],
    ['a list cut short', '92c0'],
    ['a list longer than what follows', 'ddffffffff'],
    ['a second value', 'c0c0'],
    ['lists nested five deep', '9191919191c0'],
  ])('refuses %s', (_name, hex) => {
    expect(() => scanMsgpack(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ name: 'ProtocolError' }));
  });

  test.each([
    ['lists nested four deep', '91919191c0'],
    ['empty lists', '92909190'],
    ['all widths of numbers', '96007fccffcdffffceffffffffcfffffffffffffffff'],
  ])('takes %s', (_name, hex) => {
    expect(() => scanMsgpack(Buffer.from(hex, 'hex'))).not.toThrow();
  });

  test.prop([fc.uint8Array({ maxLength: 64 })], { numRuns: 2000 })('never lets pass what cannot be read', (bytes) => {
    const buffer = Buffer.from(bytes);
    try {
      scanMsgpack(buffer);
    } catch (error) {
      expect(error).toHaveProperty('name', 'ProtocolError');
      return;
    }
    unpackRecords(buffer);
  });
});
