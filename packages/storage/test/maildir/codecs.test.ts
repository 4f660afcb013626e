import { describe, expect, test as plain } from '@jest/globals';
import { fc, test } from '@fast-check/jest';
import { FLAG, mailboxGuid } from '@dsync/protocol';

import {
  BaseClock,
  canBeBase,
  compareArrival,
  makeBase,
  parseFileName,
  printFileName,
  sizeIn,
} from '../../src/maildir/file-name.ts';
import { collectExpunges } from '../../src/maildir/dovecot-log.ts';
import { addKeywords, keywordsOf, lettersFor, parseKeywords, printKeywords } from '../../src/maildir/keywords-file.ts';
import { Layout } from '../../src/maildir/layout.ts';
import { parseMailboxLog, printMailboxLog } from '../../src/maildir/mailbox-log.ts';
import { decodeMutf7, encodeMutf7 } from '../../src/maildir/mutf7.ts';
import { parseSubscriptions, printSubscriptions } from '../../src/maildir/subscriptions.ts';
import { parseUidlist, printUidlist } from '../../src/maildir/uidlist.ts';
import { SizeCounter } from '../../src/maildir/virtual-size.ts';

const GUID = '71bab02e1478046b045e0000223fb636';

describe('modified UTF-7', () => {
  plain.each([
    ['Ärger', '&AMQ-rger'],
    ['日本語', '&ZeVnLIqe-'],
    ['Tom & Jerry', 'Tom &- Jerry'],
    ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
    ['😀', '&2D3eAA-'],
    ['plain', 'plain'],
  ])('%s is written %s', (name, written) => {
    expect(encodeMutf7(name)).toBe(written);
    expect(decodeMutf7(written)).toBe(name);
  });

  plain.each(['&', '&AMQ', '&AG-', '&AGE-', '&AMQ-&AMQ-', '&2D0-', '&AMR-', 'Ä', '&AMQ=-', '&!!!-', 'a\u0001'])(
    '%j is no name',
    (text) => {
      expect(decodeMutf7(text)).toBeNull();
    },
  );

  test.prop([fc.string({ unit: 'grapheme' })])('what was written is read back', (name) => {
    expect(decodeMutf7(encodeMutf7(name))).toBe(name);
  });

  test.prop([fc.string()])('one name has one spelling', (text) => {
    const name = decodeMutf7(text);
    if (name !== null) expect(encodeMutf7(name)).toBe(text);
  });
});

describe('dovecot-uidlist', () => {
  plain('is read with all its fields', () => {
    const text = `3 V17 N9 G${GUID} Xnew\n1 :a,S=5\n4 W30 Gg1 Pu O7 Zq :b c :d\n`;
    expect(parseUidlist(text, 'f')).toEqual({
      version: 3,
      uidValidity: 17,
      uidNext: 9,
      guid: GUID,
      fields: 'Xnew',
      records: [
        { uid: 1, base: 'a,S=5', guid: null, fields: '' },
        { uid: 4, base: 'b c :d', guid: 'g1', fields: 'W30 Pu O7 Zq' },
      ],
      untidy: false,
    });
  });

  plain('of version 1 is read', () => {
    expect(parseUidlist('1 17 9\n1 a:2,S\n5 b\n', 'f')).toMatchObject({
      version: 1,
      uidValidity: 17,
      uidNext: 9,
      guid: null,
      records: [
        { uid: 1, base: 'a' },
        { uid: 5, base: 'b' },
      ],
    });
  });

  plain('keeps the later of two records of a mail, and an unfinished line out', () => {
    const { records, untidy } = parseUidlist(`3 V1 N1 G${GUID}\n1 :a\n2 :b\n3 :a\n4 :unfin`, 'f');
    expect(records.map(({ uid, base }) => [uid, base])).toEqual([
      [2, 'b'],
      [3, 'a'],
    ]);
    expect(untidy).toBe(true);
  });

  plain.each([
    ['', 1],
    ['3 V1 N1', 1],
    ['2 V1 N1\n', 1],
    ['3 N1\n', 1],
    ['3 V1\n', 1],
    ['3 V0 N1\n', 1],
    ['3 V1 N0\n', 1],
    ['3 V4294967296 N1\n', 1],
    ['3 V1 N1 Gxyz\n', 1],
    ['3 V1 N1\n1 a\n', 2],
    ['3 V1 N1\n1 :a\n1 :b\n', 3],
    ['3 V1 N1\n2 :a\n1 :b\n', 3],
    ['3 V1 N1\n0 :a\n', 2],
    ['3 V1 N1\n4294967295 :a\n', 2],
    ['3 V1 N1\n1 :a/b\n', 2],
    ['3 V1 N1\n1 :\n', 2],
    ['3 V1 N1\n1 :a\n\n', 3],
    ['3 V1 N1\nx :a\n', 2],
    ['3 V1 N1\n1 !x :a\n', 2],
  ])('%j is an error that names the line', (text, line) => {
    expect(() => parseUidlist(text, '/m/dovecot-uidlist')).toThrow(
      expect.objectContaining({
        code: 'Corrupt',
        message: expect.stringContaining(`/m/dovecot-uidlist line ${line}:`),
      }),
    );
  });

  const records = fc.uniqueArray(
    fc.record({
      uid: fc.integer({ min: 1, max: 0xfffffffe }),
      base: fc.stringMatching(/^[a-z0-9][ -.0-9;-~]{0,20}$/),
      guid: fc.option(fc.stringMatching(/^[!-~]{1,20}$/)),
    }),
    {
      comparator: (a, b) => a.uid === b.uid || a.base === b.base,
    },
  );
  test.prop([records])('what was written is read back', (made) => {
    const list = {
      uidValidity: 5,
      uidNext: 9,
      guid: mailboxGuid(GUID),
      fields: '',
      records: made.map((record) => ({ ...record, fields: '' })).toSorted((a, b) => a.uid - b.uid),
    };
    expect(parseUidlist(printUidlist(list), 'f')).toEqual({ version: 3, ...list, untidy: false });
  });

  test.prop([fc.string()])('whatever is in it, reading ends with a list or with Corrupt', (text) => {
    try {
      parseUidlist(text, 'f');
    } catch (error) {
      expect(error).toMatchObject({ code: 'Corrupt' });
    }
  });
});

describe('file names of mails', () => {
  plain.each([
    ['a', 'a', 0, '', '', ''],
    ['a:2,', 'a', 0, '', '', ''],
    ['a,S=5:2,FRSTD', 'a,S=5', 0x1f, '', '', ''],
    ['a:2,PSab', 'a', FLAG.seen, 'ab', 'P', ''],
    ['a:2,S,x=1,y', 'a', FLAG.seen, '', '', ',x=1,y'],
    ['a:b:2,S', 'a', FLAG.seen, '', '', ''],
    ['a:1,S', 'a', 0, '', '', ''],
  ])('%s', (name, base, flags, keywordLetters, otherLetters, more) => {
    expect(parseFileName(name)).toMatchObject({ base, flags, keywordLetters, otherLetters, more });
  });

  plain.each(['.hidden', ':2,S', '', 'a\nb', 'a\rb'])('%j is no mail', (name) => {
    expect(parseFileName(name)).toBeNull();
  });

  plain('letters stand in order, and what is not ours stays', () => {
    const kept = parseFileName('a:2,PQa,more');
    expect(printFileName('a', 0x1f, 'bc', kept ?? undefined)).toBe('a:2,DFPQRSTbc,more');
  });

  plain.each([
    ['x,S=12,W=14', 12, 14],
    ['x,S=12', 12, null],
    ['x,S=12a,W=1:', null, null],
    ['xS=12,W=7,foo', null, 7],
  ])('sizes in %s', (base, physical, virtual) => {
    expect([sizeIn(base, 'S'), sizeIn(base, 'W')]).toEqual([physical, virtual]);
  });

  plain.each([
    ['1.M1P1.h,S=5,W=6', true],
    ['1.M1P1.h,S=5,W=7', false],
    ['1.M1P1.h,S=5', false],
    ['0123456789abcdef0123456789abcdef', false],
    ['a/b,S=5,W=6', false],
    ['.a,S=5,W=6', false],
    ['a:b,S=5,W=6', false],
    [`${'x'.repeat(200)},S=5,W=6`, false],
  ])('whether %s can be a base name', (guid, answer) => {
    expect(canBeBase(guid, 5, 6)).toBe(answer);
  });

  plain('two new names are never equal, though the clock stands still', () => {
    const clock = new BaseClock('h', () => 1_700_000_000);
    const names = Array.from({ length: 100 }, () => makeBase(clock, 1, 1));
    expect(new Set(names).size).toBe(100);
    expect(names[0]).toMatch(/^1700000000\.M\d+P\d+\.h,S=1,W=1$/);
  });

  plain('mails that nobody has numbered come in the order of their times', () => {
    const names = ['b', '10.x', '9.M20P1.h', '9.M3P1.h', 'a', '9.P1Q1M4.h'];
    expect(names.toSorted(compareArrival)).toEqual(['a', 'b', '9.M3P1.h', '9.P1Q1M4.h', '9.M20P1.h', '10.x']);
  });
});

describe('dovecot-keywords', () => {
  plain('letters and names', () => {
    const letters = parseKeywords('0 $Forwarded\n3 Late\n', 'f');
    expect(keywordsOf(letters, 'adb')).toEqual(['$Forwarded', 'Late', 'unknown-1']);
    const more = addKeywords(letters, ['$FORWARDED', 'x', 'y', 'z']);
    expect(printKeywords(more)).toBe('0 $Forwarded\n1 x\n2 y\n3 Late\n4 z\n');
    expect(lettersFor(more, ['z', '$forwarded'])).toEqual({ text: 'ae', missing: [] });
  });

  plain('there are 26 and no more', () => {
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
    expect(lettersFor(addKeywords([], names), names)).toEqual({
      text: 'abcdefghijklmnopqrstuvwxyz',
      missing: ['k26', 'k27', 'k28', 'k29'],
    });
  });

  plain.each(['26 x\n', 'a x\n', '1\n', '1 a b\n'])('%j is an error', (text) => {
    expect(() => parseKeywords(text, 'f')).toThrow(
      expect.objectContaining({ code: 'Corrupt', message: expect.stringContaining('f line 1') }),
    );
  });
});

describe('subscriptions', () => {
  plain.each([
    ['V\t2\n\nINBOX\nWork\tSub\n&AMQ-rger\n', 2],
    ['INBOX\nWork.Sub\n&AMQ-rger\n', 1],
  ])('%j', (text, version) => {
    const list = parseSubscriptions(text, '.');
    expect(list).toEqual({ version, paths: [['INBOX'], ['Work', 'Sub'], ['Ärger']], unreadable: [] });
    expect(printSubscriptions(list, '.')).toBe(text);
  });

  plain('a line that is no name stays', () => {
    const list = parseSubscriptions('V\t2\n\n&bad\nok\n', '.');
    expect(list).toMatchObject({ paths: [['ok']], unreadable: ['&bad'] });
    expect(printSubscriptions(list, '.')).toBe('V\t2\n\nok\n&bad\n');
  });

  plain('a header that is not at the top does not get there', () => {
    const list = parseSubscriptions('&bad\nV\t2\nok\n', '.');
    expect(list).toEqual({ version: 1, paths: [['ok']], unreadable: ['&bad'] });
    expect(printSubscriptions({ ...list, paths: [] }, '.')).toBe('&bad\n');
  });
});

plain('dovecot.mailbox.log is read and written, record by record', () => {
  const record = { kind: 'renamed', id: 'e5ad1c6b966bc12cb9a074ff3807f217', time: 0x6b047815 } as const;
  const bytes = Buffer.from('03000000e5ad1c6b966bc12cb9a074ff3807f2176b047815', 'hex');
  expect(printMailboxLog([record])).toEqual(bytes);
  expect(parseMailboxLog(Buffer.concat([bytes, bytes.subarray(0, 7)]))).toEqual([record]);
});

describe('the place of a mailbox', () => {
  const roots = { mail: '/m', control: '/m', index: '/i', inbox: '/m' };
  const plus = new Layout('maildir++', '/', roots);
  const tree = new Layout('fs', '/', roots);

  plain.each([
    [['INBOX'], '/m', '/m'],
    [['a', 'b'], '/m/.a.b', '/m/a/b'],
    [['INBOX', 'x'], '/m/.INBOX.x', '/m/INBOX/x'],
    [['Ä'], '/m/.&AMQ-', '/m/&AMQ-'],
  ])('of %j', (path, inPlus, inTree) => {
    expect([plus.places(path).mail, tree.places(path).mail]).toEqual([inPlus, inTree]);
  });

  const path = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '..',
        '.',
        'cur',
        '~',
        'a.b',
        'a/b',
        'INBOX',
        'subscriptions',
        'dovecot-uidlist',
        'x'.repeat(300),
      ),
    ),
    { maxLength: 5 },
  );

  test.prop([path, fc.constantFrom(plus, tree)])('is inside the store, or the name is refused', (parts, layout) => {
    let place: string;
    try {
      place = layout.places(parts).mail;
    } catch (error) {
      expect(error).toMatchObject({ code: 'InvalidName' });
      return;
    }
    expect(place === '/m' || place.startsWith('/m/')).toBe(true);
    expect(place).not.toMatch(/(?:^|\/)\.\.?(?:\/|$)|\0/);
    if (place !== '/m') expect(layout.parse(place.slice(3))).toEqual(parts);
  });

  test.prop([
    path.filter((parts) => parts.length > 0),
    fc.constantFrom(plus, tree),
    fc.constantFrom('_', '/', '.', 'ab', ''),
  ])('any name can be repaired, and a repaired one stays', (parts, layout, alt) => {
    const legal = layout.legal(parts, alt);
    expect(() => layout.check(legal)).not.toThrow();
    expect(layout.legal(legal, alt)).toEqual(legal);
  });

  plain.each([
    [['a.b'], ['a_b'], ['a.b']],
    [['..'], ['__'], ['_..']],
    [
      ['~x', '~x'],
      ['_~x', '~x'],
      ['_~x', '~x'],
    ],
    [['cur'], ['cur'], ['_cur']],
    [['inbox'], ['INBOX'], ['INBOX']],
    [['a\u0000\r\n'], ['a___'], ['a___']],
  ])('%j is repaired', (name, inPlus, inTree) => {
    expect([plus.legal(name, '_'), tree.legal(name, '_')]).toEqual([inPlus, inTree]);
  });
});

test.prop([
  fc.array(fc.constantFrom('\r', '\n', '\r\n', 'x', 'xy'), { maxLength: 30 }),
  fc.array(fc.nat(60), { maxLength: 5 }),
])('a size is the same however the mail comes in pieces', (parts, cuts) => {
  const text = parts.join('');
  const counter = new SizeCounter();
  const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b), text.length];
  places.slice(1).forEach((to, i) => counter.add(Buffer.from(text.slice(places[i], to))));
  expect([counter.physical, counter.virtual]).toEqual([text.length, text.replace(/\r?\n/g, '\r\n').length]);
});

describe('a Dovecot’s index log', () => {
  const header = Buffer.from('01032800112233440200000000000000000000000000000001000000000000000100000000000000', 'hex');
  const record = (type: number, data: Buffer): Buffer => {
    const size = data.length + 8;
    const head = Buffer.from([0x80, 0x80, 0x80 | (size >> 9), 0x80 | ((size >> 2) & 0x7f), 0, 0, 0, 0]);
    head.writeUInt32LE(type, 4);
    return Buffer.concat([head, data]);
  };
  const gone = (n: number, guid: string): Buffer => {
    const uid = Buffer.alloc(4);
    uid.writeUInt32LE(n);
    return Buffer.concat([uid, Buffer.from(guid, 'hex')]);
  };
  const asked = record(0x0000ed90, Buffer.concat([gone(7, GUID), gone(300, 'ab'.repeat(16))]));
  const done = record(0x1000ed90, gone(7, '00'.repeat(16)));
  const other = record(0x1000cd91, Buffer.from('0900000009000000', 'hex'));
  const newValidity = record(0x20, Buffer.from('1800040001000000', 'hex'));
  const newUidNext = record(0x20, Buffer.from('1c00040001000000', 'hex'));
  const BOTH = [
    [7, GUID],
    [300, 'ab'.repeat(16)],
  ];
  const damaged = (at: number, value: number): Buffer =>
    Buffer.concat([Buffer.from(header).fill(value, at, at + 1), asked]);

  plain.each([
    ['asked for and done', [header, other, asked, done, newUidNext], BOTH],
    ['asked for', [header, asked], BOTH],
    ['of another UIDVALIDITY', [header, asked, newValidity], []],
    ['after it was set', [header, newValidity, asked], BOTH],
    ['a record being written', [header, asked, Buffer.alloc(16)], BOTH],
    ['a record cut off', [header, done, asked.subarray(0, 40)], []],
    ['no log', [Buffer.from('something else that is longer than a header is')], []],
    ['an empty file', [], []],
  ] as const)('%s', (_, parts, expected) => {
    const found = new Map<number, string>();
    collectExpunges(Buffer.concat(parts), found);
    expect([...found]).toEqual(expected);
  });

  plain.each([
    ['of another version', 0, 2],
    ['of the other order of bytes', 32, 0],
  ])('%s is not read', (_, at, value) => {
    const found = new Map<number, string>();
    collectExpunges(damaged(at, value), found);
    expect(found.size).toBe(0);
  });
});
