/** A Dovecot of any version, of which a test writes every record: it says all it has to say at once. */
import { Duplex } from 'node:stream';

import { tabEscape } from '@dsync/protocol';

/** Field names of each item, as Dovecot 2.3.19 announces them. */
export const FIELDS_2_3_19: Readonly<Record<string, readonly string[]>> = {
  H: (
    'hostname sync_ns_prefix sync_box sync_box_guid sync_type debug sync_visible_namespaces exclude_mailboxes ' +
    'send_mail_requests backup_send backup_recv lock_timeout no_mail_sync no_backup_overwrite purge_remote no_notify ' +
    'sync_since_timestamp sync_max_size sync_flags sync_until_timestamp virtual_all_box empty_hdr_workaround ' +
    'import_commit_msgs_interval hashed_headers alt_char'
  ).split(' '),
  S: (
    'mailbox_guid last_uidvalidity last_common_uid last_common_modseq last_common_pvt_modseq last_messages_count ' +
    'changes_during_sync'
  ).split(' '),
  N: 'name existence mailbox_guid uid_validity uid_next last_renamed_or_created subscribed last_subscription_change'.split(
    ' ',
  ),
  D: 'hierarchy_sep escape_char mailboxes dirs unsubscribes'.split(' '),
  B: (
    'mailbox_guid uid_validity uid_next messages_count first_recent_uid highest_modseq highest_pvt_modseq mailbox_lost ' +
    'mailbox_ignore cache_fields have_guids have_save_guids have_only_guid128'
  ).split(' '),
  A: 'type key value stream deleted last_change modseq'.split(' '),
  C: (
    'type uid guid hdr_hash modseq pvt_modseq add_flags remove_flags final_flags keywords_reset keyword_changes ' +
    'received_timestamp virtual_size'
  ).split(' '),
  R: ['guid', 'uid'],
  M: 'guid uid pop3_uidl pop3_order received_date saved_date stream'.split(' '),
  F: ['error', 'mail_error', 'require_full_resync'],
  c: ['name', 'decision', 'last_used'],
};

/** Which dsync 3 it speaks, and what it lacks or has more than 2.3.19. */
export interface Version {
  readonly minor: number;
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** Header lines that nobody knows. */
  readonly extra?: readonly string[];
}

/** Minor version and fields of Dovecot 2.3.19. */
export const DOVECOT_2_3_19: Version = { minor: 5, fields: FIELDS_2_3_19 };

/** Of a record's fields, by name. */
export type Values = Readonly<Record<string, string | number>>;

/** A record in the order of the version's header; fields that are left out are NULL. */
export function record(version: Version, item: string, values: Values = {}): string {
  const names = version.fields[item] ?? [];
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`${item} has no field ${unknown}`);
  const texts = names.map((name) => {
    const value = values[name];
    return value === undefined ? '\u0002' : tabEscape(String(value));
  });
  while (texts.at(-1) === '\u0002') texts.pop();
  return `${item}${texts.join('\t')}\n`;
}

/** Bytes behind a record that has a stream, and their end. */
export const stream = (text: string): string => `${text.replace(/(^|\n)\./g, '$1..')}\r\n.\r\n`;

/** The stream to it. It says its opening, its headers and the records, and remembers what it hears. */
export class ScriptedPeer extends Duplex {
  readonly #heard: Buffer[] = [];

  constructor(version: Version, records: readonly string[]) {
    super({ allowHalfOpen: true });
    const headers = Object.entries(version.fields).map(([item, names]) => `${item}${names.join('\t')}\n`);
    const extra = (version.extra ?? []).map((line) => `${line}\n`);
    this.push(
      Buffer.from(`VERSION\tdsync\t3\t${version.minor}\n${extra.join('')}${headers.join('')}.\n${records.join('')}`),
    );
  }

  /** What it was told behind the opening, without the bytes of mails. */
  heard(): string[] {
    const text = Buffer.concat(this.#heard).toString('utf8');
    return text
      .slice(text.indexOf('\n.\n') + 3)
      .split('\n')
      .slice(0, -1);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#heard.push(chunk);
    done();
  }

  override _read(): void {}
}
