/** What a Dovecot may legally ask for in its handshake, and the fields of other versions. */
import { openChannel } from '@dsync/protocol';
import { runSlave, slaveHandshake } from '@dsync/sync';
import { describe, expect, test } from '@jest/globals';

import { guidOf } from '../support/mails.ts';
import { readSide } from '../support/read-side.ts';
import { BOTH, END, GUID, HOST, inbox, NEW_MAIL, NUMBERS, serve, STATE } from './said.ts';
import { FIELDS_2_3_19, record, ScriptedPeer, stream, type Values, type Version } from './scripted-peer.ts';

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
