/**
 * The journal in a file of its own, kept by lmdb: one file and its `-lock` file, for any number of processes of one
 * machine at a time. Not for network file systems, where lmdb's locks do not hold.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

import type { MailboxGuid, Modseq } from '@dsync/protocol';
import type { RootDatabase } from 'lmdb';

import { StoreError } from '../errors.ts';
import type { PrivateFlags } from '../mail-store.ts';
import type { Met } from '../met.ts';
import * as rows from './journal-rows.ts';
import { ROW, type Row, type RowKind } from './journal-rows.ts';
import {
  type Journal,
  type JournalAttribute,
  JournalConflict,
  type JournalExpunge,
  type JournalHead,
  type JournalMail,
  type JournalName,
  type JournalStep,
  isSameGround,
  PEERS_REMEMBERED,
} from './journal.ts';
import { corrupt, failure } from './lmdb-errors.ts';
import { lmdbDefect } from './lmdb-header.ts';
import { isBlankName } from './names.ts';
import { setAside } from './set-aside.ts';
import { takeTurn } from './turn.ts';
import { canBeRead, markInUse, type UseMark } from './use-mark.ts';

/** How a journal's file is opened. */
export interface JournalOptions {
  /** `on`: what `write` has written is on the disk when it resolves. `off`: for throw-away copies. */
  readonly fsync: 'on' | 'off';
}

type Database = RootDatabase<Buffer, Buffer>;
/** What one write does, all or nothing, inside a transaction. */
interface Work {
  readonly run: (db: Database) => void;
  /** Steps that count on what is there. */
  readonly steps: readonly JournalStep[];
}

interface Waiting extends Work {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Opens the journal, or makes an empty one if the file is absent or empty.
 * @throws {StoreError} `Corrupt` if the file is no journal, is damaged, or is of another version: deleting it costs one
 * full comparison; `Permission`, `DiskFull`, …
 */
export async function openLmdbJournal(file: string, options: JournalOptions): Promise<Journal> {
  let mark: UseMark | null = null;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    await using _turn = await takeTurn(file);
    const defect = await lmdbDefect(file);
    if (defect !== null) throw corrupt(file, defect);
    mark = markInUse(file);
    if (mark.left && !(await canBeRead(file))) throw corrupt(file, 'reading it ends the process');
    // Loading lmdb takes some 20 ms, which a run that needs no journal should not pay.
    const { open } = await import('lmdb');
    const db = open<Buffer, Buffer>(file, {
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      cache: false,
      maxDbs: 1,
      // Commits flush before they return; lmdb's other way lets a file opened by it not be opened without sync.
      overlappingSync: false,
      noSync: options.fsync === 'off',
    });
    const journal = new LmdbJournal(file, db, mark);
    try {
      journal.checkFormat();
    } catch (error) {
      await db.close();
      throw error;
    }
    return journal;
  } catch (error) {
    mark?.release();
    throw failure(error, file);
  }
}

class LmdbJournal implements Journal {
  readonly #file: string;
  readonly #db: Database;
  readonly #mark: UseMark;
  /** Something in it was not what had been written. */
  #isDamaged = false;
  #queue: Waiting[] = [];
  #closed = false;
  /** Good as long as no process has made another transaction. */
  #heads: { readonly transaction: number; readonly heads: ReadonlyMap<MailboxGuid, JournalHead> } | null = null;

  constructor(file: string, db: Database, mark: UseMark) {
    this.#file = file;
    this.#db = db;
    this.#mark = mark;
  }

  /** @throws {StoreError} `Corrupt` */
  checkFormat(): void {
    const { key, value } = rows.formatRow();
    const found = this.#db.get(key);
    if (found?.equals(value) === true) return;
    if (found !== undefined)
      throw corrupt(this.#file, `made by another version: ${JSON.stringify(found.toString('latin1', 0, 40))}`);
    this.#db.transactionSync(() => {
      if (this.#db.get(key) !== undefined) return;
      if (this.#db.getKeysCount({ limit: 1 }) > 0) throw corrupt(this.#file, 'without a version');
      this.#db.putSync(key, value);
    });
  }

  heads(): ReadonlyMap<MailboxGuid, JournalHead> {
    const transaction = this.#lastTransaction();
    if (this.#heads !== null && this.#heads.transaction === transaction) return this.#heads.heads;
    // What is read from here on is at least as new as that transaction.
    this.#db.resetReadTxn();
    const heads = new Map(this.#all(Buffer.from([ROW.head]), rows.parseHead).map((head) => [head.guid, head]));
    this.#heads = { transaction, heads };
    return heads;
  }

  head(guid: MailboxGuid): JournalHead | undefined {
    return this.#one(rows.guidKey(ROW.head, guid), rows.parseHead);
  }

  mails(guid: MailboxGuid): readonly JournalMail[] {
    const head = this.head(guid);
    const mails = this.#all(rows.guidKey(ROW.mail, guid), rows.parseMail);
    // lmdb has no sums of its own: a damaged page can lose rows without a word.
    if (mails.length !== (head?.messages ?? 0))
      throw this.#failure(corrupt(this.#file, `${mails.length} mails of ${head?.messages ?? 0}`));
    return mails;
  }

  mail(guid: MailboxGuid, uid: number): JournalMail | undefined {
    return this.#one(rows.guidKey(ROW.mail, guid, uid), rows.parseMail);
  }

  expunges(guid: MailboxGuid, since: Modseq): readonly JournalExpunge[] {
    return this.#all(rows.guidKey(ROW.expunge, guid), rows.parseExpunge).filter(({ modseq }) => modseq > since);
  }

  attributes(guid: MailboxGuid): readonly JournalAttribute[] {
    return this.#all(rows.guidKey(ROW.attribute, guid), rows.parseAttribute);
  }

  write(steps: readonly JournalStep[]): Promise<void> {
    const works = steps.map(stepWork);
    return this.#write((db) => works.forEach((work) => work(db)), steps);
  }

  names(): readonly JournalName[] {
    return this.#all(Buffer.from([ROW.name]), rows.parseName);
  }

  writeNames(names: readonly JournalName[]): Promise<void> {
    const put = names.map((name) => (isBlankName(name) ? null : rows.nameRow(name)));
    return this.#write((db) => {
      for (const [i, row] of put.entries()) {
        const name = names[i];
        if (row !== null) putRow(db, row);
        else if (name !== undefined) db.removeSync(rows.nameKey(name.path));
      }
    });
  }

  deletedMailboxes(): ReadonlyMap<MailboxGuid, number> {
    return new Map(this.#all(Buffer.from([ROW.deleted]), rows.parseDeleted));
  }

  metAt(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return new Map(this.#all(rows.metKey(peer), rows.parseMet));
  }

  writeMet(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    const here = this.heads();
    const known = [...met].filter(([guid]) => here.has(guid));
    const put = known.map(([guid, one]) => rows.metRow(peer, guid, one));
    const gone = [...this.metAt(peer).keys()].filter((guid) => !here.has(guid));
    return this.#write((db) => {
      for (const row of put) putRow(db, row);
      for (const guid of gone) db.removeSync(rows.metKey(peer, guid));
      forgetOtherPeers(db, peer, PEERS_REMEMBERED * here.size);
    });
  }

  privateFlags(guid: MailboxGuid): PrivateFlags | null {
    return this.#one(rows.guidKey(ROW.private, guid), rows.parsePrivate) ?? null;
  }

  async writePrivateFlags(guid: MailboxGuid, flags: PrivateFlags): Promise<void> {
    if (this.head(guid) === undefined) return;
    const row = rows.privateRow(guid, flags);
    await this.#write((db) => putRow(db, row));
  }

  dropMailbox(guid: MailboxGuid, deletedAt: number | null): Promise<void> {
    return this.#write((db) => {
      for (const kind of OF_A_MAILBOX) removeAll(db, rows.guidKey(kind, guid));
      if (deletedAt === null) return;
      putRow(db, rows.deletedRow(guid, deletedAt));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    await using _turn = await takeTurn(this.#file);
    await this.#db.close();
    this.#mark.release();
    // Whoever found that out has been told; the next one is not to find the same.
    if (this.#isDamaged) setAside(this.#file);
  }

  #failure(error: unknown): StoreError {
    const told = failure(error, this.#file);
    if (told.code === 'Corrupt') this.#isDamaged = true;
    return told;
  }

  /** Writes that are asked for together share one transaction and one flush of the disk. */
  #write(run: Work['run'], steps: Work['steps'] = []): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('Temporary', `journal ${this.#file} is closed`));
      this.#queue.push({ run, steps, resolve, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    if (queue.length === 0 || this.#closed) return;
    const refused = new Map<Waiting, unknown>();
    try {
      this.#db.transactionSync(() => {
        for (const waiting of queue) {
          const reason = this.#refusal(waiting.steps);
          if (reason === null) waiting.run(this.#db);
          else refused.set(waiting, reason);
        }
      });
    } catch (error) {
      const told = this.#failure(error);
      for (const { reject } of queue) reject(told);
      return;
    }
    for (const waiting of queue) {
      if (refused.has(waiting)) waiting.reject(refused.get(waiting));
      else waiting.resolve();
    }
  }

  /** Why these steps cannot be written now; null: they can. */
  #refusal(steps: readonly JournalStep[]): StoreError | null {
    for (const { before, formerGuid, head } of steps) {
      if (before === undefined) continue;
      try {
        if (!isSameGround(before, this.head(formerGuid ?? head.guid) ?? null)) return new JournalConflict(head.path);
      } catch (error) {
        return this.#failure(error);
      }
    }
    return null;
  }

  /** Number of the last transaction of any process. */
  #lastTransaction(): number {
    return this.#read(() => {
      const stats = this.#db.getStats();
      return 'lastTxnId' in stats && typeof stats.lastTxnId === 'number' ? stats.lastTxnId : NaN;
    });
  }

  #one<T>(key: Buffer, parse: (row: Row) => T): T | undefined {
    return this.#read(() => {
      const value = this.#db.get(key);
      return value === undefined ? undefined : parse(rows.unsealed(key, value));
    });
  }

  #all<T>(prefix: Buffer, parse: (row: Row) => T): T[] {
    return this.#read(() => {
      const found: T[] = [];
      for (const { key, value } of this.#db.getRange({ start: prefix, end: rows.keyBehind(prefix) }))
        found.push(parse(rows.unsealed(key, value)));
      return found;
    });
  }

  #read<T>(read: () => T): T {
    if (this.#closed) throw new StoreError('Temporary', `journal ${this.#file} is closed`);
    try {
      return read();
    } catch (error) {
      throw this.#failure(error);
    }
  }
}

const OF_A_MAILBOX: readonly RowKind[] = [ROW.head, ROW.mail, ROW.expunge, ROW.attribute, ROW.private];

/** Everything is encoded before the transaction begins, which keeps other writers waiting. */
function stepWork(step: JournalStep): Work['run'] {
  const { guid } = step.head;
  const removed = [...(step.remove ?? [])].map((uid) => rows.guidKey(ROW.mail, guid, uid));
  const expunged = [...(step.expunged ?? [])].map((expunge) => rows.expungeRow(guid, expunge));
  const mails = [...(step.put ?? [])];
  const put = mails.map((mail) => rows.mailRow(guid, mail));
  const unexpunged = mails.map((mail) => rows.guidKey(ROW.expunge, guid, mail.uid));
  const others = [...(step.attributes ?? [])].map((attribute) => rows.attributeRow(guid, attribute));
  others.push(rows.headRow(step.head));
  return (db) => {
    if (step.formerGuid !== undefined && step.formerGuid !== guid) moveAll(db, step.formerGuid, guid);
    if (step.reset === true)
      for (const kind of [ROW.mail, ROW.expunge, ROW.private]) removeAll(db, rows.guidKey(kind, guid));
    for (const key of removed) db.removeSync(key);
    for (const row of expunged) putRow(db, row);
    for (const row of put) putRow(db, row);
    if (put.length > 0 && hasAny(db, rows.guidKey(ROW.expunge, guid))) for (const key of unexpunged) db.removeSync(key);
    for (const row of others) putRow(db, row);
    db.removeSync(rows.guidKey(ROW.deleted, guid));
  };
}

function putRow(db: Database, row: Row): void {
  db.putSync(row.key, rows.sealed(row));
}

function moveAll(db: Database, from: MailboxGuid, to: MailboxGuid): void {
  for (const kind of OF_A_MAILBOX) {
    const prefix = rows.guidKey(kind, from);
    const target = rows.guidKey(kind, to);
    removeAll(db, target);
    const found = [...db.getRange({ start: prefix, end: rows.keyBehind(prefix) })];
    for (const { key, value } of found) {
      const row = rows.unsealed(key, value);
      putRow(db, { key: Buffer.concat([target, key.subarray(target.length)]), value: row.value });
      db.removeSync(key);
    }
  }
}

function removeAll(db: Database, prefix: Buffer): void {
  for (const key of [...db.getKeys({ start: prefix, end: rows.keyBehind(prefix) })]) db.removeSync(key);
}

function forgetOtherPeers(db: Database, peer: string, limit: number): void {
  const all = Buffer.from([ROW.met]);
  const range = { start: all, end: rows.keyBehind(all) };
  if (db.getKeysCount({ ...range, limit: limit + 1 }) <= limit) return;
  const own = rows.metKey(peer);
  for (const key of [...db.getKeys(range)]) if (!key.subarray(0, own.length).equals(own)) db.removeSync(key);
}

function hasAny(db: Database, prefix: Buffer): boolean {
  return db.getKeysCount({ start: prefix, end: rows.keyBehind(prefix), limit: 1 }) > 0;
}
