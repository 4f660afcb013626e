/** Rows of one mailbox: its head, mails, expunges, attributes and private flags. Reading throws `RowError`. */
import { createHash } from 'node:crypto';

import { ALL_FLAGS, isMailGuid, isUid, MAX_UID, type MailboxGuid, type Uid } from '@dsync/protocol';

import type { PrivateFlags, PrivateMail } from '../mail-store.ts';
import type { JournalAttribute, JournalExpunge, JournalHead, JournalMail } from './journal.ts';
import { must, RowReader, RowWriter } from './row-bytes.ts';
import { guidKey, guidOf, readPath, ROW, uidOf, type Row } from './row.ts';

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

export function mailRow(mailbox: MailboxGuid, mail: JournalMail): Row {
  // A Maildir's file name mostly begins with the mail's GUID; it is written once.
  const shared = mail.name.startsWith(mail.guid);
  writer.number(mail.flags).big(mail.modseq).text(mail.guid);
  writer.number(shared ? 1 : 0).text(shared ? mail.name.slice(mail.guid.length) : mail.name);
  const history =
    mail.addedFlags !== 0 ||
    mail.removedFlags !== 0 ||
    mail.addedKeywords.length > 0 ||
    mail.removedKeywords.length > 0;
  if (history || mail.keywords.length > 0) {
    writer
      .texts(mail.keywords)
      .number(mail.addedFlags)
      .number(mail.removedFlags)
      .texts(mail.addedKeywords)
      .texts(mail.removedKeywords);
  }
  return { key: guidKey(ROW.mail, mailbox, mail.uid), value: writer.take() };
}

export function parseMail({ key, value }: Row): JournalMail {
  const row = new RowReader(value);
  const flags = parseFlags(row);
  const modseq = row.big();
  const guid = row.text();
  must(isMailGuid(guid));
  const shared = row.flag();
  const rest = row.text();
  const plain = row.atEnd;
  const mail: JournalMail = {
    uid: uidOf(key),
    guid,
    modseq,
    flags,
    keywords: plain ? NONE : row.texts(),
    addedFlags: plain ? 0 : parseFlags(row),
    removedFlags: plain ? 0 : parseFlags(row),
    addedKeywords: plain ? NONE : row.texts(),
    removedKeywords: plain ? NONE : row.texts(),
    name: shared ? guid + rest : rest,
  };
  row.end();
  return mail;
}

export function expungeRow(mailbox: MailboxGuid, expunge: JournalExpunge): Row {
  return {
    key: guidKey(ROW.expunge, mailbox, expunge.uid),
    value: writer.big(expunge.modseq).text(expunge.guid).take(),
  };
}

export function parseExpunge({ key, value }: Row): JournalExpunge {
  const row = new RowReader(value);
  const expunge = { uid: uidOf(key), modseq: row.big(), guid: row.text() };
  row.end();
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
    mails.set(uid, { flags: parseFlags(row), modseq: row.big() });
  }
  row.end();
  return { uidValidity, highestModseq, mails };
}

function parseFlags(row: RowReader): number {
  const flags = row.number();
  must(flags <= ALL_FLAGS);
  return flags;
}

function parseDigest(text: string): bigint {
  must(/^[0-9a-f]{1,32}$/.test(text));
  return BigInt(`0x${text}`);
}

const NONE: readonly string[] = [];
