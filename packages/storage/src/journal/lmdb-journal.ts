/**
 * The journal in a file of its own, kept by lmdb: one file and its `-lock` file, for any number of processes of one
 * machine at a time. Not for network file systems, where lmdb's locks do not hold.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

import type { MailboxGuid, Modseq } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { PrivateFlags } from '../mail-store.ts';
import type { Met } from '../met.ts';
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
import { forgetOtherPeers, putRow, removeMailbox, stepChange, type Change, type Database } from './lmdb-changes.ts';
import { corrupt, failure, mustHaveRoom } from './lmdb-errors.ts';
import { lmdbDefect } from './lmdb-header.ts';
import { parseAttribute, parseHead, parsePrivate, privateRow, readExpunge, readMail } from './mailbox-rows.ts';
import { isBlankName } from './names.ts';
import { formatRow, guidKey, keyBehind, ROW, unsealed, type Row } from './row.ts';
import { setAside } from './set-aside.ts';
import { deletedRow, metKey, metRow, nameKey, nameRow, parseDeleted, parseMet, parseName } from './store-rows.ts';
import { takeTurn } from './turn.ts';
import { entryInPage, pageKey, parsePage, type ReadEntry } from './uid-pages.ts';
import { canBeRead, markInUse, type UseMark } from './use-mark.ts';
import { WriteQueue } from './write-queue.ts';

/** How a journal's file is opened. */
export interface JournalOptions {
  /** `on`: what `write` has written is on the disk when it resolves. `off`: for throw-away copies. */
  readonly fsync: 'on' | 'off';
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
  readonly #writes: WriteQueue;
  /** Something in it was not what had been written. */
  #isDamaged = false;
  #closed = false;
  /** Good as long as no process has made another transaction. */
  #heads: { readonly transaction: number; readonly heads: ReadonlyMap<MailboxGuid, JournalHead> } | null = null;

  constructor(file: string, db: Database, mark: UseMark) {
    this.#file = file;
    this.#db = db;
    this.#mark = mark;
    this.#writes = new WriteQueue(
      db,
      () => mustHaveRoom(file),
      (steps) => this.#refusal(steps),
      (error) => this.#failure(error),
    );
  }

  /** @throws {StoreError} `Corrupt` */
  checkFormat(): void {
    const { key, value } = formatRow();
    const found = this.#db.get(key);
    if (found?.equals(value) === true) return;
    if (found !== undefined)
      throw corrupt(this.#file, `made by another version: ${JSON.stringify(found.toString('latin1', 0, 40))}`);
    mustHaveRoom(this.#file);
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
    const heads = new Map(this.#all(Buffer.from([ROW.head]), parseHead).map((head) => [head.guid, head]));
    this.#heads = { transaction, heads };
    return heads;
  }

  head(guid: MailboxGuid): JournalHead | undefined {
    return this.#one(guidKey(ROW.head, guid), parseHead);
  }

  mails(guid: MailboxGuid): readonly JournalMail[] {
    const head = this.head(guid);
    const mails = this.#entries(guidKey(ROW.mails, guid), readMail);
    // lmdb has no sums of its own: a damaged page can lose rows without a word.
    if (mails.length !== (head?.messages ?? 0))
      throw this.#failure(corrupt(this.#file, `mails: ${mails.length} of ${head?.messages ?? 0}`));
    return mails;
  }

  mail(guid: MailboxGuid, uid: number): JournalMail | undefined {
    return this.#one(pageKey(ROW.mails, guid, uid), (page) => entryInPage(page, uid, readMail));
  }

  expunges(guid: MailboxGuid, since: Modseq): readonly JournalExpunge[] {
    return this.#entries(guidKey(ROW.expunges, guid), readExpunge).filter(({ modseq }) => modseq > since);
  }

  attributes(guid: MailboxGuid): readonly JournalAttribute[] {
    return this.#all(guidKey(ROW.attribute, guid), parseAttribute);
  }

  write(steps: readonly JournalStep[]): Promise<void> {
    const changes = steps.map(stepChange);
    return this.#write((db) => changes.forEach((change) => change(db)), steps);
  }

  names(): readonly JournalName[] {
    return this.#all(Buffer.from([ROW.name]), parseName);
  }

  writeNames(names: readonly JournalName[]): Promise<void> {
    const put = names.map((name) => (isBlankName(name) ? null : nameRow(name)));
    return this.#write((db) => {
      for (const [i, row] of put.entries()) {
        const name = names[i];
        if (row !== null) putRow(db, row);
        else if (name !== undefined) db.removeSync(nameKey(name.path));
      }
    });
  }

  deletedMailboxes(): ReadonlyMap<MailboxGuid, number> {
    return new Map(this.#all(Buffer.from([ROW.deleted]), parseDeleted));
  }

  metAt(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return new Map(this.#all(metKey(peer), parseMet));
  }

  writeMet(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    const here = this.heads();
    const known = [...met].filter(([guid]) => here.has(guid));
    const put = known.map(([guid, one]) => metRow(peer, guid, one));
    const gone = [...this.metAt(peer).keys()].filter((guid) => !here.has(guid));
    return this.#write((db) => {
      for (const row of put) putRow(db, row);
      for (const guid of gone) db.removeSync(metKey(peer, guid));
      forgetOtherPeers(db, peer, PEERS_REMEMBERED * here.size);
    });
  }

  privateFlags(guid: MailboxGuid): PrivateFlags | null {
    return this.#one(guidKey(ROW.private, guid), parsePrivate) ?? null;
  }

  async writePrivateFlags(guid: MailboxGuid, flags: PrivateFlags): Promise<void> {
    if (this.head(guid) === undefined) return;
    const row = privateRow(guid, flags);
    await this.#write((db) => putRow(db, row));
  }

  dropMailbox(guid: MailboxGuid, deletedAt: number | null): Promise<void> {
    return this.#write((db) => {
      removeMailbox(db, guid);
      if (deletedAt !== null) putRow(db, deletedRow(guid, deletedAt));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#writes.flush();
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

  #write(change: Change, steps: readonly JournalStep[] = []): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError('Temporary', `journal ${this.#file} is closed`));
    return this.#writes.write(change, steps);
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
      return value === undefined ? undefined : parse(unsealed(key, value));
    });
  }

  #all<T>(prefix: Buffer, parse: (row: Row) => T): T[] {
    return this.#read(() => {
      const found: T[] = [];
      for (const { key, value } of this.#db.getRange({ start: prefix, end: keyBehind(prefix) }))
        found.push(parse(unsealed(key, value)));
      return found;
    });
  }

  /** Of all pages whose keys begin so. */
  #entries<T>(prefix: Buffer, read: ReadEntry<T>): T[] {
    return this.#all(prefix, (page) => parsePage(page, read)).flat();
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
