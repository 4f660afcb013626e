/** Changes of a journal's rows, each to be made inside a transaction of lmdb. */
import type { MailboxGuid } from '@dsync/protocol';
import type { RootDatabase } from 'lmdb';

import type { JournalStep } from './journal.ts';
import { attributeRow, expungeBytes, headRow, mailBytes } from './mailbox-rows.ts';
import { guidKey, keyBehind, ROW, sealed, unsealed, type Row, type RowKind } from './row.ts';
import { metKey } from './store-rows.ts';
import { changedPage, pageChanges, type PageChange } from './uid-pages.ts';

/** The journal's file, opened. */
export type Database = RootDatabase<Buffer, Buffer>;

/** Makes one change of the rows. */
export type Change = (db: Database) => void;

/** Kinds of rows that belong to one mailbox. */
const OF_A_MAILBOX: readonly RowKind[] = [ROW.head, ROW.mails, ROW.expunges, ROW.attribute, ROW.private];

/** A step as a change. What can be is encoded before the transaction begins, which keeps other writers waiting. */
export function stepChange(step: JournalStep): Change {
  const { guid } = step.head;
  const put = [...(step.put ?? [])];
  const mails = pageChanges(step.remove ?? [], put, mailBytes);
  const expunged = pageChanges([], step.expunged ?? [], expungeBytes);
  const unexpunged = put.map(({ uid }) => uid);
  const others = [...(step.attributes ?? [])].map((attribute) => attributeRow(guid, attribute));
  others.push(headRow(step.head));
  return (db) => {
    if (step.formerGuid !== undefined && step.formerGuid !== guid) moveAll(db, step.formerGuid, guid);
    if (step.reset === true)
      for (const kind of [ROW.mails, ROW.expunges, ROW.private]) removeAll(db, guidKey(kind, guid));
    changePages(db, ROW.expunges, guid, expunged);
    changePages(db, ROW.mails, guid, mails);
    if (unexpunged.length > 0 && hasAny(db, guidKey(ROW.expunges, guid)))
      changePages(db, ROW.expunges, guid, pageChanges(unexpunged, [], expungeBytes));
    for (const row of others) putRow(db, row);
    db.removeSync(guidKey(ROW.deleted, guid));
  };
}

function changePages(db: Database, kind: RowKind, guid: MailboxGuid, changes: ReadonlyMap<number, PageChange>): void {
  for (const [number, change] of changes) {
    const key = guidKey(kind, guid, number);
    const before = db.get(key);
    const value = changedPage(before && unsealed(key, before).value, change);
    if (value !== null) putRow(db, { key, value });
    else if (before !== undefined) db.removeSync(key);
  }
}

/** Puts a row there with its sum. */
export function putRow(db: Database, row: Row): void {
  db.putSync(row.key, sealed(row));
}

function moveAll(db: Database, from: MailboxGuid, to: MailboxGuid): void {
  for (const kind of OF_A_MAILBOX) {
    const prefix = guidKey(kind, from);
    const target = guidKey(kind, to);
    removeAll(db, target);
    const found = [...db.getRange({ start: prefix, end: keyBehind(prefix) })];
    for (const { key, value } of found) {
      const row = unsealed(key, value);
      putRow(db, { key: Buffer.concat([target, key.subarray(target.length)]), value: row.value });
      db.removeSync(key);
    }
  }
}

/** Removes every row whose key begins so. */
function removeAll(db: Database, prefix: Buffer): void {
  for (const key of [...db.getKeys({ start: prefix, end: keyBehind(prefix) })]) db.removeSync(key);
}

/** Forgets all runs but those with `peer` if there are more rows of them than `limit`. */
export function forgetOtherPeers(db: Database, peer: string, limit: number): void {
  const all = Buffer.from([ROW.met]);
  const range = { start: all, end: keyBehind(all) };
  if (db.getKeysCount({ ...range, limit: limit + 1 }) <= limit) return;
  const own = metKey(peer);
  for (const key of [...db.getKeys(range)]) if (!key.subarray(0, own.length).equals(own)) db.removeSync(key);
}

function hasAny(db: Database, prefix: Buffer): boolean {
  return db.getKeysCount({ start: prefix, end: keyBehind(prefix), limit: 1 }) > 0;
}

/** Forgets everything that belongs to a mailbox. */
export function removeMailbox(db: Database, guid: MailboxGuid): void {
  for (const kind of OF_A_MAILBOX) removeAll(db, guidKey(kind, guid));
}
