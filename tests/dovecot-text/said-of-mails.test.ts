/** What a Dovecot may legally say of a mailbox and its mails, whatever its version. */
import { mailboxGuid, uid } from '@dsync/protocol';
import type { Attribute, MailContent, MemoryStore } from '@dsync/storage';
import { describe, expect, test } from '@jest/globals';

import { guidOf } from '../support/mails.ts';
import { readSide } from '../support/read-side.ts';
import { BOTH, GUID, inbox, m, NEW_MAIL, say, type Script, serve, THREE } from './said.ts';
import { stream, type Values } from './scripted-peer.ts';

async function attributesOf(store: MemoryStore): Promise<readonly Attribute[]> {
  await using mailbox = await store.openMailbox(mailboxGuid(GUID));
  return (await mailbox?.attributes()) ?? [];
}

async function contentOf(store: MemoryStore, number: number, label: string): Promise<MailContent | null> {
  await using mailbox = await store.openMailbox(mailboxGuid(GUID));
  return (await mailbox?.read(uid(number), guidOf(label))) ?? null;
}

describe('metadata', () => {
  test.each<[string, string, Partial<Attribute>]>([
    ['a value', say('A', { type: 'p', key: 'comment', value: 'tab\there', modseq: 3 }), { value: 'tab\there' }],
    ['shared', say('A', { type: 's', key: 'comment', value: 'x', modseq: 3 }), { scope: 'shared' }],
    ['an empty value', say('A', { type: 'p', key: 'comment', value: '', modseq: 3 }), { value: '' }],
    [
      'a script as a stream, with its time',
      say('A', { type: 'p', key: 'vendor/vendor.dovecot/pvt/sieve/files/a', stream: '', last_change: 1_700_000_000 }) +
        stream('.keep;\n..\nend'),
      { key: 'vendor/vendor.dovecot/pvt/sieve/files/a', value: '.keep;\n..\nend', changedAt: 1_700_000_000 },
    ],
  ])('%s is stored', async (_name, said, stored) => {
    const store = await inbox();
    await serve(store, { attributes: [said] });
    expect(await attributesOf(store)).toEqual([
      expect.objectContaining({ scope: 'private', key: 'comment', ...stored }),
    ]);
  });

  test('a deletion with a higher modseq deletes, one of what is not there does nothing', async () => {
    const store = await inbox();
    await store.user.setAttribute(['INBOX'], '/private/comment', 'old');
    const deleted = (key: string): string => say('A', { type: 'p', key, deleted: '', modseq: 9 });
    await serve(store, { attributes: [deleted('comment'), deleted('other')] });
    expect((await attributesOf(store)).filter(({ value }) => value !== null)).toEqual([]);
  });
});

describe('mails', () => {
  test('come with their dates, POP3 UIDL and order', async () => {
    const store = await inbox();
    const mail = {
      guid: guidOf('m3'),
      pop3_uidl: 'u3',
      pop3_order: 7,
      received_date: 111,
      saved_date: 222,
      stream: '',
    };
    await serve(store, { ...THREE, changes: [...BOTH, NEW_MAIL], mails: [say('M', mail) + stream('.a\n\0\n')] });
    const content = await contentOf(store, 3, 'm3');
    expect(content).toMatchObject({ received: 111, saved: 222, pop3Uidl: 'u3', pop3Order: 7 });
    expect(Buffer.from(content?.body instanceof Uint8Array ? content.body : []).toString()).toBe('.a\n\0\n');
  });

  test('an empty UIDL is none', async () => {
    const store = await inbox();
    const mail = say('M', { guid: guidOf('m3'), pop3_uidl: '', received_date: 111, stream: '' }) + stream('x');
    await serve(store, { ...THREE, changes: [...BOTH, NEW_MAIL], mails: [mail] });
    expect(await contentOf(store, 3, 'm3')).not.toHaveProperty('pop3Uidl');
  });

  test('one that has vanished meanwhile is left out', async () => {
    const store = await inbox();
    const { report } = await serve(store, {
      ...THREE,
      changes: [...BOTH, NEW_MAIL],
      mails: [say('M', { guid: guidOf('m3') })],
    });
    expect((await readSide(store)).mailboxes['INBOX']?.messages.map(({ uid: number }) => number)).toEqual([1, 2]);
    expect(report.unexpected).toEqual([]);
  });
});

describe('changes', () => {
  const flagsAfter = async (changes: readonly Values[], more: Omit<Script, 'changes'> = {}): Promise<string[]> => {
    const store = await inbox();
    await serve(store, { ...more, changes });
    const { messages = [] } = (await readSide(store)).mailboxes['INBOX'] ?? {};
    return messages.map(({ uid: number, flags, keywords }) => `${number} ${[...flags, ...keywords].join(' ')}`.trim());
  };

  test.each<[string, Values, string]>([
    ['\\Recent is no flag of the mail', { final_flags: '28', add_flags: '28' }, '1 \\Seen'],
    ['flags in hexadecimal', { final_flags: '1b' }, '1 \\Answered \\Draft \\Flagged \\Seen'],
    [
      'keywords that are there, and one that was added and is gone',
      { keyword_changes: '+gone\t=there\t&both' },
      '1 both there',
    ],
    ['keywords after all others were cleared', { keywords_reset: '', keyword_changes: '&new' }, '1 new'],
    ['a modseq of private flags', { pvt_modseq: 9, final_flags: 8 }, '1 \\Seen'],
    ['a size that was not computed', { virtual_size: 'ffffffffffffffff', final_flags: 8 }, '1 \\Seen'],
    ['a hash of the headers that nobody asked for', { hdr_hash: '0'.repeat(32), final_flags: 8 }, '1 \\Seen'],
  ])('%s', async (_name, values, after) => {
    expect(await flagsAfter([m(1, { modseq: 9, ...values }), BOTH[1] ?? {}])).toEqual([after, '2 old']);
  });

  test.each([[{}], [{ guid: guidOf('m1') }]])('an expunge with %j below what both have is believed', async (guid) => {
    expect(await flagsAfter([{ type: 'e', uid: 1, ...guid }, m(2, { keyword_changes: '=old' })])).toEqual(['2 old']);
  });

  test('the hints of a cache and private modseqs are no reason for anything', async () => {
    const numbers = { highest_pvt_modseq: 7, cache_fields: 'flags\tt\ndate.save\tt\t1795453815\nhdr.x\tyF\t1' };
    expect(await flagsAfter(BOTH, { numbers, state: { last_common_pvt_modseq: 7 } })).toEqual(['1', '2 old']);
  });
});

describe('numbers that are the same on both sides', () => {
  const CHANGED = { sync_type: 'c' };
  const boxes = (heard: readonly string[]): string[][] =>
    heard.filter((line) => line.startsWith('B')).map((line) => line.split('\t').slice(1, 7));

  test('are believed, unless our side has changed since the last run with this Dovecot', async () => {
    const store = await inbox();
    await serve(store, { handshake: CHANGED });
    const same = { highest_modseq: 3, first_recent_uid: 1 };
    const { heard } = await serve(store, { handshake: CHANGED, numbers: same, skipped: true });
    expect(boxes(heard)).toEqual([['1001', '3', '2', '1', '3', '0']]);
    await store.user.changeFlags(['INBOX'], 1, 'add', 8, []);
    const next = { ...same, highest_modseq: 4 };
    const told = await serve(store, { handshake: CHANGED, numbers: next });
    expect(boxes(told.heard)).toEqual([['1001', '3', '2', '0', '4', '0']]);
    expect(told.report.mailboxes).toHaveLength(1);
    expect(told.heard.find((line) => line.startsWith('Cs\t1\t'))).toMatch(/\t8$/);
    // What the Dovecot has to do for it raises both sides' modseqs.
    const after = { ...same, highest_modseq: 5 };
    const again = await serve(store, { handshake: CHANGED, numbers: after, skipped: true });
    expect(again.report.mailboxes).toEqual([]);
  });
});
