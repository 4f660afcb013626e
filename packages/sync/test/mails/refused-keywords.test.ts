import { describe, expect, test } from '@jest/globals';
import { mailGuid, uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import type { MailPlan } from '../../src/mails/mail-plan.ts';
import { RefusedKeywords } from '../../src/mails/refused-keywords.ts';

const record = (number: number, keywords: readonly string[]): MailRecord => ({
  uid: uid(number),
  guid: mailGuid(`g${number}`),
  modseq: 1n,
  flags: 0,
  addedFlags: 0,
  removedFlags: 0,
  keywords,
  addedKeywords: [],
  removedKeywords: [],
});

describe('keywords that a Dovecot does not take', () => {
  test.each([
    ['k'.repeat(50), true],
    ['k'.repeat(51), false],
    ["!#$&'+,-./09:;<=>?@AZ[^_`az|}~", true],
    ['(', false],
    [')', false],
    ['{', false],
    ['%', false],
    ['*', false],
    ['"', false],
    ['\\', false],
    [']', false],
    ['é', false],
  ])('%s is told: %s', (keyword, isTold) => {
    const told = new RefusedKeywords(50).hide(record(1, ['a', keyword]));
    expect(told.keywords).toEqual(isTold ? ['a', keyword] : ['a']);
  });

  test('are taken where it has them, whatever they look like', () => {
    const refused = new RefusedKeywords(50, [record(7, ['É'])]);
    expect(refused.hide(record(1, ['(', 'é'])).keywords).toEqual(['é']);
  });

  test('neither count as added nor as removed', () => {
    const mail = { ...record(1, ['a', '(']), addedKeywords: ['('], removedKeywords: ['b', '*'] };
    expect(new RefusedKeywords(50).hide(mail)).toEqual({
      ...mail,
      keywords: ['a'],
      addedKeywords: [],
      removedKeywords: ['b'],
    });
  });

  test('a list without any is the same list', () => {
    const changes = { mails: [record(1, ['a']), record(2, [])], expunges: [] };
    expect(new RefusedKeywords(50).hideIn(changes)).toBe(changes);
  });

  test('stay with the mail, whatever is done to it', () => {
    const refused = new RefusedKeywords(50);
    refused.hideIn({ mails: [record(1, ['(', 'a']), record(2, ['a'])], expunges: [] });
    const facts = { guid: mailGuid('g'), flags: 0, modseq: 1n, rule: 'flags-merged' } as const;
    const operations: MailPlan['operations'] = [
      { op: 'flag', uid: uid(1), keywords: ['b'], ...facts },
      { op: 'copy', from: uid(1), uid: uid(5), keywords: [], ...facts },
      { op: 'flag', uid: uid(2), keywords: ['b'], ...facts },
      { op: 'save', uid: uid(1), remoteUid: uid(1), keywords: ['b'], ...facts },
    ];
    const plan = { rebuild: false, operations, uidValidity: 1, uidNext: 6, highestModseq: 1n, firstRecentUid: 1 };
    const kept = refused.keepIn(plan).operations.map((operation) => 'keywords' in operation && operation.keywords);
    expect(kept).toEqual([['(', 'b'], ['('], ['b'], ['b']]);
  });
});
