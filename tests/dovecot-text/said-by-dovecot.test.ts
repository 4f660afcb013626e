/** Everything that a Dovecot may legally say, whatever its version, said to a server of ours. */
import { join } from 'node:path';

import { mailboxGuid, openChannel, uid } from '@dsync/protocol';
import {
  createMemoryStore,
  openMaildirStore,
  type Attribute,
  type MailContent,
  type MailStore,
  type MemoryStore,
} from '@dsync/storage';
import { runSlave, slaveHandshake, type SlaveReport } from '@dsync/sync';
import { describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/maildir-side.ts';
import { guidOf } from '../support/mails.ts';
import { readSide } from '../support/read-side.ts';
import {
  DOVECOT_2_3_19,
  FIELDS_2_3_19,
  record,
  ScriptedPeer,
  stream,
  type Values,
  type Version,
} from './scripted-peer.ts';

const GUID = 'a1'.padStart(32, '0');
const END = '.\n';
const HOST = 'us.example.com';
const NUMBERS = {
  ...{ mailbox_guid: GUID, uid_validity: 1001, uid_next: 3, messages_count: 2, first_recent_uid: 1 },
  ...{ highest_modseq: 3, highest_pvt_modseq: 0, have_guids: '', have_save_guids: '' },
};
const STATE = {
  ...{ mailbox_guid: GUID, last_uidvalidity: 1001, last_common_uid: 2, last_common_modseq: 1 },
  last_common_pvt_modseq: 0,
};

/** What a master says that has one INBOX; a test says what is special. */
interface Script {
  readonly version?: Version;
  /** Of its INBOX, if it is not ours. */
  readonly guid?: string;
  readonly handshake?: Values;
  readonly nodes?: readonly Values[];
  readonly deletions?: Values;
  readonly numbers?: Values;
  readonly attributes?: readonly string[];
  readonly changes?: readonly Values[];
  readonly mails?: readonly string[];
  readonly state?: Values;
  /** The mailbox is found equal, so nothing is said behind its numbers. */
  readonly skipped?: true;
}

/** A store with an INBOX of two mails, m1 and m2 with a keyword. */
async function inbox(): Promise<MemoryStore> {
  const store = createMemoryStore({ now: () => 1_800_000_000 });
  await store.user.place(['INBOX'], {
    guid: mailboxGuid(GUID),
    uidValidity: 1001,
    mails: ['m1', 'm2'].map((label, index) => ({
      ...{ uid: uid(index + 1), guid: guidOf(label), body: Buffer.from(`${label}\n`), received: 1 },
      keywords: label === 'm2' ? ['old'] : [],
    })),
  });
  return store;
}

const m = (number: number, values: Values = {}): Values => ({
  ...{ type: 's', uid: number, guid: guidOf(`m${number}`), modseq: 3, final_flags: 0 },
  ...values,
});
const BOTH = [m(1), m(2, { keyword_changes: '=old' })];

async function serve(store: MailStore, script: Script): Promise<{ report: SlaveReport; heard: string[] }> {
  const version = script.version ?? DOVECOT_2_3_19;
  const say = (item: string, values: Values = {}): string => record(version, item, values);
  const { guid = GUID } = script;
  const inboxNode = { name: 'INBOX', existence: 'y', mailbox_guid: guid, uid_validity: 1001, uid_next: 3 };
  const noMails = script.handshake?.['no_mail_sync'] !== undefined;
  const mailbox = [
    say('B', { ...NUMBERS, mailbox_guid: guid, ...script.numbers }),
    ...(version.minor < 1 ? [] : [...(script.attributes ?? []), END]),
    ...(script.changes ?? BOTH).map((values) => say('C', values)),
    END,
    END, // requests
    ...(script.mails ?? []),
    END,
    say('S', { ...STATE, mailbox_guid: guid, ...script.state }),
  ];
  const peer = new ScriptedPeer(version, [
    say('H', {
      hostname: 'dovecot',
      send_mail_requests: '',
      hashed_headers: 'Date\tMessage-ID\t',
      ...script.handshake,
    }),
    ...[inboxNode, ...(script.nodes ?? [])].map((values) => say('N', values)),
    END,
    say('D', { hierarchy_sep: '/', ...script.deletions }),
    ...(noMails ? [] : script.skipped ? mailbox.slice(0, 1) : mailbox),
    END,
  ]);
  await using channel = await openChannel(peer, {
    role: 'slave',
    handshake: slaveHandshake(HOST),
    stallTimeoutMs: 2_000,
  });
  const report = await runSlave(store, channel, {}, HOST);
  await channel.close();
  return { report, heard: peer.heard() };
}

async function attributesOf(store: MemoryStore): Promise<readonly Attribute[]> {
  await using mailbox = await store.openMailbox(mailboxGuid(GUID));
  return (await mailbox?.attributes()) ?? [];
}

async function contentOf(store: MemoryStore, number: number, label: string): Promise<MailContent | null> {
  await using mailbox = await store.openMailbox(mailboxGuid(GUID));
  return (await mailbox?.read(uid(number), guidOf(label))) ?? null;
}

const say = (item: string, values: Values): string => record(DOVECOT_2_3_19, item, values);
const NEW_MAIL = m(3);
const THREE = { numbers: { uid_next: 4, messages_count: 3 }, state: { last_common_uid: 3 } } as const;

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

describe('the handshake', () => {
  test.each<[string, Values]>([
    ['no algorithm is a full run', {}],
    [
      'options that are for Dovecot alone',
      { purge_remote: '', no_notify: '', debug: '', empty_hdr_workaround: '', import_commit_msgs_interval: 100 },
    ],
    ['all visible namespaces', { sync_visible_namespaces: '' }],
    ['the namespace without prefix', { sync_ns_prefix: '' }],
    ['a mailbox of all mails', { virtual_all_box: 'All' }],
    ['one mailbox by name', { sync_box: 'INBOX' }],
    ['one mailbox by GUID', { sync_box_guid: GUID }],
    ['others left out', { exclude_mailboxes: 'Trash\tspam*' }],
    ['others left out by a special use, which a Dovecot does not do either', { exclude_mailboxes: '\\Trash' }],
    ['another alternative character', { alt_char: '-' }],
    ['a list of headers', { hashed_headers: 'Date\tMessage-ID\tSubject' }],
    ['only the tree', { no_mail_sync: '' }],
  ])('%s', async (_name, handshake) => {
    const store = await inbox();
    const { report, heard } = await serve(store, { handshake });
    expect(report.unexpected).toEqual([]);
    expect(heard.slice(-2)).toEqual(['F', 'X']);
  });
});

test('one mailbox by a special use, of which a Dovecot tells none itself, is refused', async () => {
  await expect(serve(await inbox(), { handshake: { sync_box: '\\Sent' } })).rejects.toThrow(
    '\\Sent cannot be selected by its special use from the other side; name the mailbox',
  );
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

describe('another version', () => {
  const without = (lacking: Readonly<Record<string, readonly string[]>>): Version['fields'] =>
    Object.fromEntries(
      Object.entries(FIELDS_2_3_19).map(([item, names]) => [
        item,
        names.filter((name) => !lacking[item]?.includes(name)),
      ]),
    );
  const OLD = without({
    H: [
      'exclude_mailboxes',
      'no_mail_sync',
      'no_backup_overwrite',
      'purge_remote',
      'no_notify',
      'sync_since_timestamp',
      'sync_max_size',
      'sync_flags',
      'sync_until_timestamp',
      'virtual_all_box',
      'empty_hdr_workaround',
      'import_commit_msgs_interval',
      'hashed_headers',
      'alt_char',
    ],
    S: ['last_messages_count'],
    D: ['escape_char', 'unsubscribes'],
    B: ['mailbox_ignore', 'have_save_guids', 'have_only_guid128'],
    C: ['received_timestamp', 'virtual_size'],
    M: ['saved_date'],
    F: ['require_full_resync'],
  });
  const oldFields = (minor: number): Version['fields'] =>
    Object.fromEntries(
      Object.entries(OLD).filter(([item]) => !(item === 'A' && minor < 1) && !(item === 'F' && minor < 3)),
    );

  test.each([0, 1, 2, 3, 4, 6, 99])('minor %i with the fields of 2.2.0', async (minor) => {
    const version: Version = { minor, fields: oldFields(minor) };
    const { have_save_guids: _absent, ...numbers } = NUMBERS;
    const store = await inbox();
    const old = (item: string, values: Values): string => record(version, item, values);
    const peer = new ScriptedPeer(version, [
      old('H', { hostname: 'old', sync_type: 'f', send_mail_requests: '' }),
      old('N', { name: 'INBOX', existence: 'y', mailbox_guid: GUID, uid_validity: 1001, uid_next: 4 }),
      END + old('D', { hierarchy_sep: '/' }),
      old('B', { ...numbers, uid_next: 4, messages_count: 3 }),
      ...(minor < 1 ? [] : [END]),
      ...[...BOTH, NEW_MAIL].map((values) => old('C', values)),
      END + END,
      old('M', { guid: minor < 2 ? guidOf('m3') : '', ...(minor < 2 ? {} : { uid: 3 }), received_date: 5, stream: '' }),
      stream('Subject: m3\n\nx'),
      END + old('S', { ...STATE, last_common_uid: 3 }) + END,
    ]);
    await using channel = await openChannel(peer, {
      role: 'slave',
      handshake: slaveHandshake(HOST),
      stallTimeoutMs: 2_000,
    });
    await runSlave(store, channel, {}, HOST);
    await channel.close();
    expect((await readSide(store)).mailboxes['INBOX']?.messages.map(({ uid: number }) => number)).toEqual([1, 2, 3]);
    // Attributes are told from 3.1 on.
    expect(peer.heard().join('').includes('B')).toBe(true);
    expect(peer.heard().slice(-2)).toEqual(['F', 'X']);
  });

  test('more fields, in another order, and items and header lines that nobody knows', async () => {
    const fields = Object.fromEntries(
      Object.entries(FIELDS_2_3_19).map(([item, names]) => [item, ['of_the_future', ...names.toReversed()]]),
    );
    const store = await inbox();
    const { report } = await serve(store, {
      version: { minor: 6, fields, extra: ['Zfuture\tfield', '@other', '', '9', 'VERSION\tdsync\t3\t7'] },
    });
    expect(report.unexpected).toEqual([]);
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
