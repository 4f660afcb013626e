import { describe, expect, test } from '@jest/globals';

import { headerHash } from '../../src/mails/header-hash.ts';

/** Header (one character for each byte), and what Dovecot 2.3.19 and 2.4.1 both say: for old peers, for present ones. */
const HEADERS: readonly (readonly [title: string, header: string, v1: string, v3: string])[] = [
  [
    'Date and Message-ID with CRLF',
    'Date: Tue, 14 Nov 2023 22:13:22 +0000\r\nMessage-ID: <m2@example.test>\r\nSubject: x\r\n\r\nbody\r\n',
    '2dfc881599c9c3769942f41d1538620f',
    'c3a51f590e3c4ba804d948ce7a0f39db',
  ],
  ['none of them', 'Subject: none\n\nbody\n', '68b329da9893e34099c7d8ad5cb9c940', '68b329da9893e34099c7d8ad5cb9c940'],
  [
    'other case, a blank before the colon, folded lines, control characters, 8-bit, question marks; not the body',
    'message-id: <a@b>\n\tfolded  more\nDATE : odd ? ? \x07\x08? \xe9\xe8 x\nDate:second\n\nDate: in body\n',
    '3682a9b3ec7fdb4eb31278d5bb6fcfff',
    'dc0c13b706124ad5031c6ecbf2ead3e3',
  ],
  [
    'a header without the empty line',
    'Date: x\nMessage-ID: <y>\n',
    '955647c838281f634a109342c2c9b498',
    'fbb70822de4e3cb9c342a019f1a4e1d7',
  ],
  ['no header at all', '\nDate: body\n', '68b329da9893e34099c7d8ad5cb9c940', '68b329da9893e34099c7d8ad5cb9c940'],
  [
    'bare CR, and a folded line of blanks',
    'Date: a\rb\nX: y\nMessage-ID:\n <z>\n \n  \tq\n\n',
    '669e6d24c1185958149c0d1f0b4f5e91',
    '40975a1be86544a04e51ca39a8e424be',
  ],
  [
    'lines that are no headers',
    'garbage line\n continued\nDate: d\nanother\n\n',
    'a1ebe8c4d557ce319774d277a10d98c6',
    'dba5e0ee8e4e0cfac6a36e16f1c7ecd6',
  ],
  ['an empty mail', '', '68b329da9893e34099c7d8ad5cb9c940', '68b329da9893e34099c7d8ad5cb9c940'],
  ['a NUL', 'Date: \x00nul\n\n', '9722a3b0bb8f2a9bae49947d09579f6e', 'bc1d772476b18621abf6045ef8aac8e7'],
  [
    'a tab before a run of odd bytes, similar names',
    'Date: tab\t?\x7f\x01 \x80\nMessage-Id : <case>\nMessage-IDx: no\n: empty\n\n',
    'e964a35df9dfaaa4c5394d1bbd1e678b',
    'a1e92edd66f09b89852744009f875ca6',
  ],
  [
    'an mbox line in front',
    'From a@b Tue\nDate: q\n\n',
    '1e0ccc4d4bb7cb6e1e811acc6ed8b756',
    '33d31be12c987d26a7a4783422f9e551',
  ],
  [
    'folded with CRLF',
    'Date: q\r\n\tz\r\n\r\nbody',
    '12418bb3798f99045a4405b3903fe7f2',
    'fc12b05db78d92de9d176d854cf42bd7',
  ],
  [
    'repeated headers',
    'Message-ID: <1>\nMessage-ID: <2>\nDate: 1\nDate: 2\n\n',
    '1b9af4f53c3377c0a2a1fe07dd207b36',
    'd3edd656bbb472941ce3167355d0d95e',
  ],
];

const NAMES = ['Date', 'Message-ID'];

describe('hashes of headers are those of a Dovecot', () => {
  test.each(HEADERS)('%s', (_title, header, v1, v3) => {
    const bytes = Buffer.from(header, 'latin1');
    expect([headerHash(bytes, NAMES, 1).usual, headerHash(bytes, NAMES, 3).usual]).toEqual([v1, v3]);
  });

  test('one LF more, as a Dovecot says with a filled cache', () => {
    const bytes = Buffer.from('Date: Tue, 14 Nov 2023 22:13:22 +0000\nMessage-ID: <m2@example.test>\n\n');
    expect(headerHash(bytes, NAMES, 3).others).toEqual(['fa6124a4f6695af7ad94afd090069600']);
  });

  test('one LF less, as a Dovecot says with a filled cache of a mail that ends in the middle of a line', () => {
    const bytes = Buffer.from('Date: no end');
    expect(headerHash(bytes, NAMES, 3)).toMatchObject({
      usual: 'f5176f78de50826db5b403e0d9714366',
      others: expect.arrayContaining(['0ceccb10e8183fa01be155eeae57851d']),
    });
    expect(headerHash(bytes, NAMES, 1)).toMatchObject({
      usual: 'cec6c6bc4208e8c7684ea4c39c1b5563',
      others: expect.arrayContaining(['e8da79ea0364667a152a5d3df464b004']),
    });
  });

  test('the names are those that the master has given', () => {
    const bytes = Buffer.from('Date: Tue, 14 Nov 2023 22:13:21 +0000\nMessage-ID: <h1@example.com>\nX-Own: 1\n\n');
    expect(headerHash(bytes, NAMES, 3).usual).toBe('3dd66f04bb6ad89be9feb8bab45b36bc');
    expect(headerHash(bytes, ['x-own'], 3).usual).not.toBe(headerHash(bytes, NAMES, 3).usual);
  });
});
