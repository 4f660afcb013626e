/** Rows of one mailbox: its head, attributes and private flags, and what is in the pages of its mails and expunges (uid-pages.ts). Reading throws `RowError`. */
import { createHash } from 'node:crypto';

import { isMailGuid, isUid, MAX_UID, type MailboxGuid, type Uid } from '@dsync/protocol';

import type { PrivateFlags, PrivateMail } from '../mail-store.ts';
import type { JournalAttribute, JournalExpunge, JournalHead, JournalMail } from './journal.ts';
import { must, RowReader, RowWriter } from './row-bytes.ts';
import { guidKey, guidOf, readFlags, readPath, ROW, type Row } from './row.ts';

const writer = new RowWriter();

export function headRow(head: JournalHead): Row {
  writer.texts(head.path).number(head.uidValidity).number(head.uidNext).big(head.highestModseq).big(head.baseModseq);
  writer
    .number(head.firstRecentUid)
    .number(head.messages)
    .text(head.digest.toString(16))
    .text(head.fingerprint)
    .big(head.historyFrom);
  // Rows of earlier programs end here.
  if (head.readTo !== undefined) writer.text(head.readTo);
  return { key: guidKey(ROW.head, head.guid), value: writer.take() };
}

export function parseHead({ key, value }: Row): JournalHead {
  const row = new RowReader(value);
  const head: JournalHead = {
    guid: guidOf(key),
    path: readPath(row),
    uidValidity: row.number(),
    uidNext: row.number(),
    highestModseq: row.big(),
    baseModseq: row.big(),
    firstRecentUid: row.number(),
    messages: row.number(),
    digest: parseDigest(row.text()),
    fingerprint: row.text(),
    historyFrom: row.big(),
    ...(row.atEnd ? {} : { readTo: row.text() }),
  };
  row.end();
  must(
    head.uidValidity <= 0xffffffff && head.uidNext >= 1 && head.uidNext <= MAX_UID + 1 && head.messages < head.uidNext,
  );
  return head;
}

/** What a mail's bytes begin with. */
const KIND = {
  /** A Maildir's file name mostly begins with the mail's GUID; it is written once. */
  sharesName: 1,
  /** It has keywords, or something has happened with it. */
  hasHistory: 2,
} as const;

/** A mail in its page. */
export function mailBytes(mail: JournalMail): Buffer {
  const { guid, name, keywords, addedFlags, removedFlags, addedKeywords, removedKeywords } = mail;
  const shared = name.startsWith(guid);
  const history =
    keywords.length + addedKeywords.length + removedKeywords.length > 0 || addedFlags !== 0 || removedFlags !== 0;
  writer.number((shared ? KIND.sharesName : 0) | (history ? KIND.hasHistory : 0));
  writer.number(mail.flags).big(mail.modseq).text(guid);
  writer.text(shared ? name.slice(guid.length) : name);
  if (history)
    writer.texts(keywords).number(addedFlags).number(removedFlags).texts(addedKeywords).texts(removedKeywords);
  return writer.take();
}

/** Reads what `mailBytes` has written. */
export function readMail(row: RowReader, uid: Uid): JournalMail {
  const kind = row.number();
  must(kind <= (KIND.sharesName | KIND.hasHistory));
  const flags = readFlags(row);
  const modseq = row.big();
  const guid = row.text();
  must(isMailGuid(guid));
  const rest = row.text();
  const plain = (kind & KIND.hasHistory) === 0;
  return {
    uid,
    guid,
    modseq,
    flags,
    keywords: plain ? NONE : row.texts(),
    addedFlags: plain ? 0 : readFlags(row),
    removedFlags: plain ? 0 : readFlags(row),
    addedKeywords: plain ? NONE : row.texts(),
    removedKeywords: plain ? NONE : row.texts(),
    name: (kind & KIND.sharesName) === 0 ? rest : guid + rest,
  };
}

/** An expunge in its page. */
export function expungeBytes({ modseq, guid }: JournalExpunge): Buffer {
  return writer.big(modseq).text(guid).take();
}

/** Reads what `expungeBytes` has written. */
export function readExpunge(row: RowReader, uid: Uid): JournalExpunge {
  const expunge = { uid, modseq: row.big(), guid: row.text() };
  must(isMailGuid(expunge.guid));
  return expunge;
}

export function attributeRow(mailbox: MailboxGuid, attribute: JournalAttribute): Row {
  const { scope, key, value, changedAt, modseq } = attribute;
  const hash = createHash('sha1').update(`${scope}/${key}`).digest();
  writer
    .number(scope === 'shared' ? 1 : 0)
    .text(key)
    .number(value === null ? 0 : 1)
    .text(value ?? '')
    .number(changedAt)
    .big(modseq);
  return { key: Buffer.concat([guidKey(ROW.attribute, mailbox), hash]), value: writer.take() };
}

export function parseAttribute({ value }: Row): JournalAttribute {
  const row = new RowReader(value);
  const scope = row.flag() ? 'shared' : 'private';
  const key = row.text();
  const there = row.flag();
  const text = row.text();
  const attribute: JournalAttribute = {
    scope,
    key,
    value: there ? text : null,
    changedAt: row.number(),
    modseq: row.big(),
  };
  row.end();
  return attribute;
}

export function privateRow(mailbox: MailboxGuid, { uidValidity, highestModseq, mails }: PrivateFlags): Row {
  writer.number(uidValidity).big(highestModseq).number(mails.size);
  for (const [uid, { flags, modseq }] of mails) writer.number(uid).number(flags).big(modseq);
  return { key: guidKey(ROW.private, mailbox), value: writer.take() };
}

export function parsePrivate({ value }: Row): PrivateFlags {
  const row = new RowReader(value);
  const uidValidity = row.number();
  const highestModseq = row.big();
  const mails = new Map<Uid, PrivateMail>();
  for (let left = row.number(); left > 0; left--) {
    const uid = row.number();
    must(isUid(uid));
    mails.set(uid, { flags: readFlags(row), modseq: row.big() });
  }
  row.end();
  return { uidValidity, highestModseq, mails };
}

function parseDigest(text: string): bigint {
  must(/^[0-9a-f]{1,32}$/.test(text));
  return BigInt(`0x${text}`);
}

const NONE: readonly string[] = [];
