/** A Dovecot that says what a test wants it to, to a server of ours that has one INBOX. */
import { mailboxGuid, openChannel, uid } from '@dsync/protocol';
import { createMemoryStore, type MailStore, type MemoryStore } from '@dsync/storage';
import { runSlave, slaveHandshake, type SlaveReport } from '@dsync/sync';

import { guidOf } from '../support/mails.ts';
import { DOVECOT_2_3_19, record, ScriptedPeer, type Values, type Version } from './scripted-peer.ts';

export const GUID = 'a1'.padStart(32, '0');
export const END = '.\n';
export const HOST = 'us.example.com';
export const NUMBERS = {
  ...{ mailbox_guid: GUID, uid_validity: 1001, uid_next: 3, messages_count: 2, first_recent_uid: 1 },
  ...{ highest_modseq: 3, highest_pvt_modseq: 0, have_guids: '', have_save_guids: '' },
};
export const STATE = {
  ...{ mailbox_guid: GUID, last_uidvalidity: 1001, last_common_uid: 2, last_common_modseq: 1 },
  last_common_pvt_modseq: 0,
};

/** What a master says that has one INBOX; a test says what is special. */
export interface Script {
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
export async function inbox(): Promise<MemoryStore> {
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

export const m = (number: number, values: Values = {}): Values => ({
  ...{ type: 's', uid: number, guid: guidOf(`m${number}`), modseq: 3, final_flags: 0 },
  ...values,
});
export const BOTH = [m(1), m(2, { keyword_changes: '=old' })];

export async function serve(store: MailStore, script: Script): Promise<{ report: SlaveReport; heard: string[] }> {
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

export const say = (item: string, values: Values): string => record(DOVECOT_2_3_19, item, values);
export const NEW_MAIL = m(3);
export const THREE = { numbers: { uid_next: 4, messages_count: 3 }, state: { last_common_uid: 3 } } as const;
