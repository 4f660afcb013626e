import { addToDigest, attributeDigest, mailDigest, printDigest, type DigestedMail } from '@dsync/storage';
import { expect, test } from '@jest/globals';
import { mailGuid, uid } from '@dsync/protocol';

import { digestAfter } from '../../src/mails/digest-after.ts';

const mail = (
  n: number,
  flags = 0,
  keywords: readonly string[] = [],
): DigestedMail & { uid: ReturnType<typeof uid> } => ({
  uid: uid(n),
  guid: mailGuid(`m${n}`),
  flags,
  keywords,
});
const digestOf = (mails: readonly DigestedMail[], ...more: readonly bigint[]): string =>
  printDigest([...mails.map(mailDigest), ...more].reduce(addToDigest, 0n));

test('is that of the mails and entries that there are then', () => {
  const before = [mail(1), mail(2, 8), mail(3), mail(4, 1)];
  const comment = { scope: 'private', key: 'comment', changedAt: 0, modseq: 1n } as const;
  const box = {
    digest: digestOf(before, attributeDigest('private', 'comment', 'old')),
    mail: (n: number) => before.find((one) => one.uid === n),
    attributes: [{ ...comment, value: 'old' }],
  };
  const rule = 'new-mail' as const;
  const after = digestAfter(
    box,
    [
      { op: 'expunge', uid: uid(1), guid: mailGuid('m1'), rule },
      { op: 'flag', uid: uid(2), flags: 2, keywords: ['K'], modseq: 1n, rule },
      { op: 'renumber', from: uid(2), to: uid(8), guid: mailGuid('m2'), rule },
      { op: 'renumber', from: uid(4), to: uid(9), guid: mailGuid('m4'), rule },
      { op: 'copy', from: uid(3), uid: uid(10), guid: mailGuid('m3'), flags: 0, keywords: [], modseq: 1n, rule },
      { op: 'save', uid: uid(11), guid: mailGuid('m11'), flags: 4, keywords: [], modseq: 1n, remoteUid: uid(5), rule },
    ],
    [
      { ...comment, value: 'new' },
      { ...comment, key: 'other', value: null },
    ],
  );
  const there = [
    { ...mail(8, 2, ['k']), guid: 'm2' },
    mail(3),
    { ...mail(9, 1), guid: 'm4' },
    { ...mail(10), guid: 'm3' },
    mail(11, 4),
  ];
  expect(after).toBe(digestOf(there, attributeDigest('private', 'comment', 'new')));
});
