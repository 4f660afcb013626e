/**
 * `dovecot.mailbox.log`: what Dovecot remembers of deletions, renames and subscriptions. Records of 24 bytes: the kind, three
 * empty bytes, a GUID or the first 16 bytes of SHA-1 of a name, Unix seconds as 32 bits big-endian.
 */

const KINDS = [
  '',
  'mailbox-deleted',
  'directory-deleted',
  'renamed',
  'subscribed',
  'unsubscribed',
  'directory-created',
] as const;

/** What a record tells of. */
export type MailboxLogKind = Exclude<(typeof KINDS)[number], ''>;

/** One change of the tree. */
export interface MailboxLogRecord {
  readonly kind: MailboxLogKind;
  /** 32 hex digits: a mailbox GUID for `mailbox-deleted`, else a name's hash. */
  readonly id: string;
  /** Unix seconds. */
  readonly time: number;
}

const RECORD = 24;

/** In the order of the file. A record that is not whole or of an unknown kind is left out. */
export function parseMailboxLog(bytes: Buffer): MailboxLogRecord[] {
  const records: MailboxLogRecord[] = [];
  for (let at = 0; at + RECORD <= bytes.length; at += RECORD) {
    const kind = KINDS[bytes.readUInt8(at)];
    if (kind === undefined || kind === '') continue;
    records.push({ kind, id: bytes.toString('hex', at + 4, at + 20), time: bytes.readUInt32BE(at + 20) });
  }
  return records;
}

/** Bytes to be appended to the file. */
export function printMailboxLog(records: readonly MailboxLogRecord[]): Buffer {
  return Buffer.concat(
    records.map(({ kind, id, time }) => {
      const bytes = Buffer.alloc(RECORD);
      bytes.writeUInt8(KINDS.indexOf(kind), 0);
      bytes.write(id, 4, 16, 'hex');
      bytes.writeUInt32BE(time, 20);
      return bytes;
    }),
  );
}
