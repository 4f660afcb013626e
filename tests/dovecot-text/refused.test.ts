/** What crashes or confuses a Dovecot: said to us, in either dialect, it is refused with a reason, and nothing is changed. */
import { createPipe, type Message, mailboxGuid, openChannel, uid } from '@dsync/protocol';
import { createMemoryStore, type MemoryStore } from '@dsync/storage';
import { DEFAULT_OPTIONS, masterHandshake, runSlave, slaveHandshake, type SyncOptions } from '@dsync/sync';
import { describe, expect, test } from '@jest/globals';

import { guidOf } from '../support/mails.ts';
import { readSide } from '../support/read-side.ts';
import { DOVECOT_2_3_19, record, ScriptedPeer, type Values } from './scripted-peer.ts';

const GUID = mailboxGuid('a1'.padStart(32, '0'));
const OTHER = mailboxGuid('b2'.padStart(32, '0'));
const HOST = 'us.example.com';

interface Case {
  readonly title: string;
  /** In text: records behind the mailbox and the end of its attributes. */
  readonly text: string;
  /** The same in the native dialect; absent where its types cannot say it. */
  readonly native?: readonly Message[];
  /** Before the end of the attributes. */
  readonly inAttributes?: true;
  readonly options?: Partial<SyncOptions>;
  readonly asked?: Values;
  readonly why: RegExp;
}

const say = (item: string, values: Values = {}): string => record(DOVECOT_2_3_19, item, values);
const change = (values: Partial<Extract<Message, { kind: 'mailChange' }>>): Message => ({
  ...{ kind: 'mailChange', type: 's', uid: uid(1), guid: guidOf('m1') },
  ...values,
});
const END = '.\n';
const end: Message = { kind: 'listEnd' };
const state = { lastUidValidity: 1001, lastCommonUid: 2, lastCommonModseq: 1n, lastCommonPrivateModseq: 0n };
const said = {
  ...{ last_uidvalidity: 1001, last_common_uid: 2, last_common_modseq: 1, last_common_pvt_modseq: 0 },
};

/** Both mails, as they are. */
const BOTH = [1, 2].map((n) => say('C', { type: 's', uid: n, guid: guidOf(`m${n}`) })).join('');

const CASES: readonly Case[] = [
  { title: 'UID 0', text: say('C', { type: 's', uid: 0, guid: 'g' }), why: /mailChange\.uid: not a UID/ },
  {
    title: 'UIDs that do not ascend',
    text: say('C', { type: 's', uid: 2, guid: guidOf('m2') }) + say('C', { type: 's', uid: 2, guid: guidOf('m1') }),
    native: [change({ uid: uid(2) }), change({ uid: uid(2) })],
    why: /UID 2 after 2|not in UID order at UID 2/,
  },
  {
    title: 'a mail without a GUID field',
    text: say('C', { type: 's', uid: 1 }),
    native: [{ kind: 'mailChange', type: 's', uid: uid(1) }],
    why: /without a GUID field|no usable GUID/,
  },
  {
    title: 'a change of flags where there is no state',
    text: say('C', { type: 'f', uid: 1, guid: guidOf('m1'), final_flags: 8 }),
    native: [change({ type: 'f', finalFlags: 8 })],
    why: /since a state that nobody named/,
  },
  {
    title: 'a request for nothing',
    text: END + say('R') + END,
    native: [end, { kind: 'mailRequest' }, end],
    why: /neither GUID nor UID|the peer asked for a mail that was not offered/,
  },
  {
    title: 'a request for what was not offered',
    text: END + say('R', { guid: 'none', uid: 9 }) + END,
    native: [end, { kind: 'mailRequest', guid: 'none', uid: uid(9) }, end],
    why: /asked for a mail that was not offered/,
  },
  { title: 'a mail without a GUID', text: END + END + say('M', { uid: 1 }), why: /mail\.guid is missing/ },
  {
    title: 'an attribute without a value',
    text: say('A', { type: 'p', key: 'comment' }),
    native: [{ kind: 'attribute', type: 'p', key: 'comment' }],
    inAttributes: true,
    why: /not exactly one of value, stream and deleted|neither value nor deletion/,
  },
  {
    title: 'a state of another mailbox',
    text: BOTH + END + END + END + say('S', { mailbox_guid: OTHER, ...said }),
    native: [
      change({}),
      change({ uid: uid(2), guid: guidOf('m2') }),
      end,
      end,
      end,
      { kind: 'mailboxState', mailboxGuid: OTHER, ...state },
    ],
    why: /of another mailbox|another mailbox than this one/,
  },
  {
    title: 'no date for a date filter',
    text: say('C', { type: 's', uid: 1, guid: guidOf('m1') }),
    native: [change({})],
    options: { filter: { since: 5 } },
    asked: { sync_since_timestamp: 5 },
    why: /UID 1 has no date for the filter/,
  },
  {
    title: 'no size for a size filter',
    text: say('C', { type: 's', uid: 1, guid: guidOf('m1'), virtual_size: 'ffffffffffffffff' }),
    native: [change({})],
    options: { filter: { maxSize: 5 } },
    asked: { sync_max_size: 5 },
    why: /UID 1 has no size for the filter/,
  },
  {
    // As a Dovecot does from 2.4.3 on: what is not here, and not told, it would expunge.
    title: 'less than all mails where a filter is on',
    text: say('C', { type: 's', uid: 2, guid: guidOf('m2'), received_timestamp: '6' }) + END,
    asked: { sync_since_timestamp: 5 },
    why: /tells 1 of its 2 mails in INBOX, and would expunge others/,
  },
];

async function victim(): Promise<MemoryStore> {
  const store = createMemoryStore();
  const mails = ['m1', 'm2'].map((label, index) => ({
    ...{ uid: uid(index + 1), guid: guidOf(label), body: Buffer.from(label), received: 1 },
  }));
  await store.user.place(['INBOX'], { guid: GUID, uidValidity: 1001, mails });
  return store;
}

/** Serves a Dovecot that says this. @returns why it ended */
async function serveText(store: MemoryStore, { text, inAttributes, asked }: Case): Promise<unknown> {
  const numbers = { uid_validity: 1001, uid_next: 3, messages_count: 2, first_recent_uid: 1, highest_modseq: 9 };
  const guids = { highest_pvt_modseq: 0, have_guids: '', have_save_guids: '' };
  const peer = new ScriptedPeer(DOVECOT_2_3_19, [
    say('H', { hostname: 'h', sync_type: 'f', send_mail_requests: '', hashed_headers: 'Date', ...asked }),
    say('N', { name: 'INBOX', existence: 'y', mailbox_guid: GUID, uid_validity: 1001, uid_next: 3 }) + END,
    say('D', { hierarchy_sep: '/' }),
    say('B', { mailbox_guid: GUID, ...numbers, ...guids }),
    ...(inAttributes ? [] : [END]),
    text,
  ]);
  return await endOf(store, peer);
}

/** Serves one of ours that says this. */
async function serveNative(store: MemoryStore, { native = [], inAttributes, options }: Case): Promise<unknown> {
  const [near, far] = createPipe();
  const serving = endOf(store, far);
  const handshake = masterHandshake({ ...DEFAULT_OPTIONS, algorithm: 'full', ...options }, 'peer.example.com');
  await using channel = await openChannel(near, { role: 'master', handshake, stallTimeoutMs: STALL_MS });
  const numbers = { uidValidity: 1001, uidNext: 3, messages: 2, highestModseq: 9n, firstRecentUid: 1 };
  await channel.session.send({ kind: 'treeNode', path: ['INBOX'], existence: 'y', mailboxGuid: GUID, ...numbers });
  await channel.session.send(end);
  await channel.session.send({ kind: 'mailboxDelete', separator: '/' });
  const mailbox = channel.openMailbox();
  const guids = { highestPrivateModseq: 0n, haveGuids: true, haveSaveGuids: true } as const;
  await mailbox.send({ kind: 'mailbox', mailboxGuid: GUID, ...numbers, ...guids });
  for (const message of [...(inAttributes ? [] : [end]), ...native]) await mailbox.send(message).catch(() => undefined);
  await channel.flush().catch(() => undefined);
  return await serving;
}

const STALL_MS = 2_000;

async function endOf(store: MemoryStore, carrier: ScriptedPeer | ReturnType<typeof createPipe>[0]): Promise<unknown> {
  try {
    await using channel = await openChannel(carrier, {
      role: 'slave',
      handshake: slaveHandshake(HOST),
      stallTimeoutMs: STALL_MS,
    });
    await runSlave(store, channel, {}, HOST);
    return null;
  } catch (error) {
    return error;
  }
}

describe.each([
  { dialect: 'in Dovecot’s text', serve: serveText, cases: CASES },
  {
    dialect: 'in the native dialect',
    serve: serveNative,
    cases: CASES.filter(({ native }) => native !== undefined),
  },
])('$dialect', ({ serve, cases }) => {
  test.each(cases)('$title is refused', async (one) => {
    const store = await victim();
    const before = await readSide(store);
    const error = await serve(store, one);
    expect(error).toMatchObject({ name: 'ProtocolError', message: expect.stringMatching(one.why) });
    expect(await readSide(store)).toEqual(before);
  });
});
