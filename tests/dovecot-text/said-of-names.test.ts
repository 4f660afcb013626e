/** What a Dovecot may legally say of names, and what is settled before it is told any. */
import { join } from 'node:path';

import { mailboxGuid } from '@dsync/protocol';
import { openMaildirStore } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/maildir-side.ts';
import { guidOf } from '../support/mails.ts';
import { readSide } from '../support/read-side.ts';
import { GUID, inbox, say, serve } from './said.ts';
import { stream, type Values } from './scripted-peer.ts';

describe('names', () => {
  const namesAfter = async (...nodes: readonly Values[]): Promise<unknown> => {
    const store = await inbox();
    await serve(store, { nodes, handshake: { no_mail_sync: '' } });
    const { mailboxes, subscriptions } = await readSide(store);
    return { mailboxes: Object.keys(mailboxes), subscriptions };
  };
  const box = { existence: 'y', mailbox_guid: 'c1'.padStart(32, '0'), uid_validity: 7 };

  test.each<[string, Values, unknown]>([
    ['a nested mailbox', { ...box, name: 'a\tb' }, { mailboxes: ['INBOX', 'a/b'], subscriptions: [] }],
    [
      'a tab in a part, which the store cannot have',
      { ...box, name: 'a\u0001tb' },
      { mailboxes: ['INBOX', 'a_b'], subscriptions: [] },
    ],
    ['UTF-8', { ...box, name: 'Résumés 台北' }, { mailboxes: ['INBOX', 'Résumés 台北'], subscriptions: [] }],
    [
      'a subscription to what is not there',
      { name: 'gone', existence: 'n', subscribed: '' },
      { mailboxes: ['INBOX'], subscriptions: ['gone'] },
    ],
    ['a name that is deleted', { ...box, name: 'dead', existence: 'd' }, { mailboxes: ['INBOX'], subscriptions: [] }],
    [
      'an existence that nobody knows',
      { ...box, name: 'x', existence: '?' },
      { mailboxes: ['INBOX'], subscriptions: [] },
    ],
  ])('%s', async (_name, node, after) => {
    expect(await namesAfter(node)).toEqual(after);
  });
});

describe('names that a Maildir cannot have become the nearest that it can, and stay so', () => {
  const guid = (n: number): string => `c${n}`.padStart(32, '0');
  // Part by part, as a Dovecot whose separator is `^` can have them.
  const NAMES: readonly (readonly [string, string])[] = [
    ['a.b', 'a_b'],
    ['x/y', 'x_y'],
    ['tab\u0001there', 'tab_here'],
    ['..', '__'],
    ['~home', '_~home'],
    ['~in\t~side', '_~in/~side'],
    ['100%', '100%'],
    ['q%2fr', 'q%2fr'],
  ];

  test.each(NAMES)('%j is %j', async (name, expected) => {
    await using folder = temporaryFolder('names');
    const options = {
      root: join(folder.path, 'Maildir'),
      separator: '/',
      journal: 'auto',
      create: true,
      fsync: 'off',
    } as const;
    for (let run = 1; run <= 2; run += 1) {
      await using store = await openMaildirStore(options);
      await serve(store, {
        handshake: { no_mail_sync: '' },
        nodes: [{ name, existence: 'y', mailbox_guid: guid(1), uid_validity: 7, uid_next: 1 }],
        deletions: { hierarchy_sep: '^' },
      });
      const { mailboxes } = await readSide(store);
      expect(Object.keys(mailboxes).filter((box) => box !== 'INBOX')).toEqual([expected]);
    }
  });
});

describe('what is settled before the Dovecot can see it', () => {
  const OTHER = 'b2'.padStart(32, '0');
  const named = (heard: readonly string[]): string[] =>
    heard.filter((line) => line.startsWith('N')).map((line) => line.split('\t').slice(0, 3).join(' '));

  test('a mailbox that takes its GUID is compared, although all numbers agree then', async () => {
    const store = await inbox();
    const { heard } = await serve(store, {
      guid: OTHER,
      handshake: { sync_type: 'c' },
      numbers: { highest_modseq: 1 },
      changes: [
        { type: 's', uid: 1, guid: guidOf('m1'), modseq: 1 },
        { type: 's', uid: 2, guid: guidOf('other'), modseq: 1 },
      ],
      mails: [say('M', { guid: guidOf('other'), received_date: 1, stream: '' }) + stream('other')],
      state: { last_common_uid: 4 },
    });
    expect(named(heard)).toEqual([`NINBOX y ${OTHER}`]);
    expect(
      heard
        .find((line) => line.startsWith('B'))
        ?.split('\t')
        .slice(0, 6),
    ).toEqual(
      // No mailbox has 0 for its first recent UID.
      [`B${OTHER}`, '1001', '3', '2', '0', '1'],
    );
    const seen = (await readSide(store)).mailboxes['INBOX'];
    expect(seen?.messages.map(({ uid: number, guid }) => `${number} ${guid}`)).toEqual(['1 m1', '3 m2', '4 other']);
  });

  test('a mailbox that it has deleted and made anew is not told any more', async () => {
    const store = await inbox();
    await store.user.createMailbox(['foo'], { guid: mailboxGuid('c1'.padStart(32, '0')), uidValidity: 7 });
    await store.user.subscribe(['foo']);
    const { heard } = await serve(store, {
      handshake: { no_mail_sync: '' },
      nodes: [{ name: 'foo', existence: 'y', mailbox_guid: 'c2'.padStart(32, '0'), uid_validity: 8, uid_next: 1 }],
      deletions: { mailboxes: `${'c1'.padStart(32, '0')} 1900000000` },
    });
    expect(named(heard)).toEqual([`NINBOX y ${GUID}`, 'Nfoo n \u0002']);
    expect((await readSide(store)).mailboxes['foo']?.guid).toBe('c2'.padStart(32, '0'));
  });
});
