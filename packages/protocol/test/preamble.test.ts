import { describe, expect } from '@jest/globals';
import { fc, test } from '@fast-check/jest';

import { PreambleReader, printPreamble, type Preamble } from '../src/handshake/preamble.ts';

const DOVECOT_2_3_19 = [
  'VERSION\tdsync\t3\t5',
  'Hhostname\tsync_ns_prefix\tsync_box\tsync_box_guid\tsync_type\tdebug\tsync_visible_namespaces\texclude_mailboxes\tsend_mail_requests\tbackup_send\tbackup_recv\tlock_timeout\tno_mail_sync\tno_backup_overwrite\tpurge_remote\tno_notify\tsync_since_timestamp\tsync_max_size\tsync_flags\tsync_until_timestamp\tvirtual_all_box\tempty_hdr_workaround\timport_commit_msgs_interval\thashed_headers\talt_char',
  'Smailbox_guid\tlast_uidvalidity\tlast_common_uid\tlast_common_modseq\tlast_common_pvt_modseq\tlast_messages_count\tchanges_during_sync',
  'Nname\texistence\tmailbox_guid\tuid_validity\tuid_next\tlast_renamed_or_created\tsubscribed\tlast_subscription_change',
  'Dhierarchy_sep\tescape_char\tmailboxes\tdirs\tunsubscribes',
  'Bmailbox_guid\tuid_validity\tuid_next\tmessages_count\tfirst_recent_uid\thighest_modseq\thighest_pvt_modseq\tmailbox_lost\tmailbox_ignore\tcache_fields\thave_guids\thave_save_guids\thave_only_guid128',
  'Atype\tkey\tvalue\tstream\tdeleted\tlast_change\tmodseq',
  'Ctype\tuid\tguid\thdr_hash\tmodseq\tpvt_modseq\tadd_flags\tremove_flags\tfinal_flags\tkeywords_reset\tkeyword_changes\treceived_timestamp\tvirtual_size',
  'Rguid\tuid',
  'Mguid\tuid\tpop3_uidl\tpop3_order\treceived_date\tsaved_date\tstream',
  'Ferror\tmail_error\trequire_full_resync',
  'cname\tdecision\tlast_used',
];
const text = (lines: readonly string[]): string => `${lines.join('\n')}\n.\n`;
const read = (bytes: string | Buffer): { preamble: Preamble; rest: Buffer } | null =>
  new PreambleReader().push(Buffer.from(bytes));

describe('our opening', () => {
  test('is that of Dovecot 2.3.19, byte for byte, but for a private line that says who we are', () => {
    expect(printPreamble(null).toString()).toBe(text([...DOVECOT_2_3_19, '@dsync\t0']));
  });

  test('offers the native dialect in that line', () => {
    expect(printPreamble(['window=16', 'brotli']).toString()).toBe(
      text([...DOVECOT_2_3_19, '@dsync\t1\twindow=16\tbrotli']),
    );
  });
});

describe("the peer's opening", () => {
  test.prop([fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 20 })])(
    'is read to its last byte and no further, however it is split',
    (cuts) => {
      const bytes = Buffer.concat([printPreamble(['a']), Buffer.from('.\nrest')]);
      const reader = new PreambleReader();
      let at = 0;
      for (const size of [...cuts, bytes.length]) {
        const found = reader.push(bytes.subarray(at, at + size));
        at += size;
        if (found === null) continue;
        expect(found.preamble).toMatchObject({ minor: 5, native: new Set(['a']) });
        expect(Buffer.concat([found.rest, bytes.subarray(at)]).toString()).toBe('.\nrest');
        return;
      }
      throw new Error('never ended');
    },
  );

  test.each([0, 1, 2, 3, 4, 6, 99])('minor %i is taken, without the items that it lacks', (minor) => {
    const lines = DOVECOT_2_3_19.slice(1).filter(
      (line) => (minor >= 1 || line[0] !== 'A') && (minor >= 3 || line[0] !== 'F'),
    );
    expect(read(text([`VERSION\tdsync\t3\t${minor}`, ...lines]))?.preamble.minor).toBe(minor);
  });

  test.each([
    ['lines of unknown letters', ['Zfoo\tbar', 'x', '!', '', '..', '.x', 'VERSION\tagain', '台']],
    ['a second line for a letter, which replaces the first', ['Ruid\tguid']],
    ['unknown field names', ['Ferror\tmail_error\trequire_full_resync\tsomething']],
    ['a private line of another layout', ['@dsync\t2\tx']],
  ])('%s are no obstacle', (_name, more) => {
    expect(read(text([...DOVECOT_2_3_19, ...more]))?.preamble.native).toBeNull();
  });

  test('CR before LF is tolerated', () => {
    expect(read(text(DOVECOT_2_3_19).replaceAll('\n', '\r\n'))?.preamble.headers.get('R')).toEqual(['guid', 'uid']);
  });

  test.each([
    ['another service', 'VERSION\timap\t3\t5\n', 'Garbage'],
    ['another major', 'VERSION\tdsync\t4\t0\n', 'Incompatible'],
    ['a minor that is no number', 'VERSION\tdsync\t3\tx\n', 'Garbage'],
    ['one field too many', 'VERSION\tdsync\t3\t5\t1\n', 'Garbage'],
    ['HTTP, before its line has ended', 'GET / HT', 'Garbage'],
    ['binary', '\u0016\u0003\u0001\u0002', 'Garbage'],
    ['an item that is missing', text(DOVECOT_2_3_19.filter((line) => line[0] !== 'M')), 'Incompatible'],
    ['a required field that is missing', text([...DOVECOT_2_3_19, 'Muid']), 'Incompatible'],
    ['a line of 8 KiB and one byte', `VERSION\tdsync\t3\t5\n${'z'.repeat(8193)}`, 'LimitExceeded'],
    ['65 lines', `VERSION\tdsync\t3\t5\n${'z\n'.repeat(64)}`, 'LimitExceeded'],
    ['more than 64 KiB', `VERSION\tdsync\t3\t5\n${`${'z'.repeat(8000)}\n`.repeat(9)}`, 'LimitExceeded'],
    ['65 features', text([...DOVECOT_2_3_19, `@dsync\t1\t${Array(65).fill('f').join('\t')}`]), 'LimitExceeded'],
  ])('%s ends it', (_name, bytes, code) => {
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code }));
  });

  test('64 lines of 8,192 bytes each would be too much, one is not', () => {
    expect(read(text([...DOVECOT_2_3_19, 'z'.repeat(8192)]))).not.toBeNull();
  });
});
