/** One Maildir as another program handles it: files are linked and renamed, the uidlist is rewritten under its lock. */
import fs from 'node:fs';
import { join } from 'node:path';

import { mailboxGuid, uid as checkedUid, type MailboxGuid, type MailGuid, type Uid } from '@dsync/protocol';
import { StoreError, type Delivery } from '@dsync/storage';

import { takeDotlock } from '../src/dotlock.ts';
import { BaseClock, makeBase, parseFileName, printFileName, type FileName } from '../src/maildir/file-name.ts';
import { addKeywords, keywordsOf, lettersFor, parseKeywords, printKeywords } from '../src/maildir/keywords-file.ts';
import { parseUidlist, printUidlist, type Uidlist, type UidlistRecord } from '../src/maildir/uidlist.ts';

const HOST = 'elsewhere';
const clock = new BaseClock(HOST, () => Date.now() / 1000);

/** Facts of a uidlist that can be changed. */
export type UidlistFacts = Pick<Uidlist, 'uidValidity' | 'uidNext' | 'guid' | 'fields' | 'records'>;

interface Found {
  readonly record: UidlistRecord;
  /** `cur/…` or `new/…`. */
  readonly at: string;
  readonly name: FileName;
}

export class MaildirFolder {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws {StoreError} `AlreadyExists` */
  make(numbers: { readonly guid: MailboxGuid; readonly uidValidity: number; readonly uidNext: number }): void {
    if (fs.existsSync(join(this.#directory, 'cur')))
      throw new StoreError('AlreadyExists', `${this.#directory} already exists`);
    for (const name of ['cur', 'new', 'tmp'])
      fs.mkdirSync(join(this.#directory, name), { recursive: true, mode: 0o700 });
    this.#replace('dovecot-uidlist', printUidlist({ ...numbers, fields: '', records: [] }));
  }

  /** Puts a mail there; without `uid` it gets the next one. */
  async add(mail: Delivery, uid?: Uid): Promise<Uid> {
    return this.rewrite((list) => {
      const number = uid ?? checkedUid(nextUid(list));
      const base = makeBase(clock, mail.body.length, virtualSize(mail.body));
      const temporary = this.#path(`tmp/${base}`);
      fs.writeFileSync(temporary, mail.body, { mode: 0o600 });
      if (mail.received !== undefined) fs.utimesSync(temporary, mail.received, mail.received);
      const fields = mail.pop3Uidl === undefined ? '' : `P${mail.pop3Uidl}`;
      const record = { uid: number, base, guid: mail.guid ?? null, fields };
      const at = this.#place(base, mail.flags ?? 0, mail.keywords ?? []);
      return {
        list: withRecord(list, record),
        afterwards: () => fs.renameSync(temporary, this.#path(at)),
        result: number,
      };
    });
  }

  /** One more mail with the bytes, GUID, flags and keywords of another. */
  async addCopy(from: MaildirFolder, uid: number): Promise<Uid> {
    const { record, at, name } = from.find(uid);
    const keywords = keywordsOf(from.#keywords(), name.keywordLetters);
    return this.rewrite((list) => {
      const number = checkedUid(nextUid(list));
      const { size } = fs.statSync(from.#path(at));
      const base = makeBase(clock, size, virtualSize(fs.readFileSync(from.#path(at))));
      const copy = { uid: number, base, guid: record.guid ?? record.base, fields: '' };
      const to = this.#place(base, name.flags, keywords);
      return {
        list: withRecord(list, copy),
        afterwards: () => fs.linkSync(from.#path(at), this.#path(to)),
        result: number,
      };
    });
  }

  remove(uid: number): void {
    fs.unlinkSync(this.#path(this.find(uid).at));
  }

  setFlags(
    uid: number,
    change: (flags: number, keywords: readonly string[]) => readonly [number, readonly string[]],
  ): void {
    const { at, name } = this.find(uid);
    const [flags, keywords] = change(name.flags, keywordsOf(this.#keywords(), name.keywordLetters));
    const to = `cur/${printFileName(name.base, flags, this.#lettersFor(keywords), name)}`;
    if (to !== at) fs.renameSync(this.#path(at), this.#path(to));
  }

  /** Every mail in new/ goes to cur/, as when a client has seen it. */
  takeNew(): void {
    for (const name of fs.readdirSync(this.#path('new')))
      fs.renameSync(this.#path(`new/${name}`), this.#path(`cur/${name}:2,`));
  }

  /** Puts another mail behind a UID. */
  async replace(uid: number, guid: MailGuid, body: Uint8Array): Promise<void> {
    const { record, at, name } = this.find(uid);
    await this.rewrite((list) => {
      const base = makeBase(clock, body.length, virtualSize(body));
      const { mtime } = fs.statSync(this.#path(at));
      fs.unlinkSync(this.#path(at));
      const to = this.#path(`cur/${printFileName(base, name.flags, name.keywordLetters, name)}`);
      fs.writeFileSync(to, body, { mode: 0o600 });
      fs.utimesSync(to, mtime, mtime);
      const records = list.records.map((other) => (other.uid === record.uid ? { ...other, base, guid } : other));
      return { list: { ...list, records }, afterwards: () => {}, result: undefined };
    });
  }

  /** Changes the uidlist under its lock. */
  async rewrite<T>(
    change: (list: UidlistFacts) => { list: UidlistFacts; afterwards: () => void; result: T },
  ): Promise<T> {
    const file = this.#path('dovecot-uidlist');
    await using _lock = await takeDotlock(`${file}.lock`, { host: HOST, timeoutMs: 10_000, what: file, guards: file });
    const { list, afterwards, result } = change(this.#uidlist());
    this.#replace('dovecot-uidlist', printUidlist({ ...list, guid: mailboxGuid(list.guid ?? '') }));
    afterwards();
    return result;
  }

  /** @throws {StoreError} `NotFound` */
  find(uid: number): Found {
    const record = this.#uidlist().records.find((other) => other.uid === uid);
    for (const at of record === undefined ? [] : this.#files()) {
      const name = parseFileName(at.slice(4));
      if (name !== null && record !== undefined && name.base === record.base) return { record, at, name };
    }
    throw new StoreError('NotFound', `no mail with UID ${uid} in ${this.#directory}`);
  }

  #files(): string[] {
    return ['new', 'cur'].flatMap((sub) => fs.readdirSync(this.#path(sub)).map((name) => `${sub}/${name}`));
  }

  #uidlist(): Uidlist {
    const file = this.#path('dovecot-uidlist');
    return parseUidlist(fs.readFileSync(file, 'utf8'), file);
  }

  #place(base: string, flags: number, keywords: readonly string[]): string {
    return flags === 0 && keywords.length === 0
      ? `new/${base}`
      : `cur/${printFileName(base, flags, this.#lettersFor(keywords))}`;
  }

  #keywords(): ReturnType<typeof parseKeywords> {
    const file = this.#path('dovecot-keywords');
    return fs.existsSync(file) ? parseKeywords(fs.readFileSync(file, 'utf8'), file) : [];
  }

  #lettersFor(keywords: readonly string[]): string {
    const before = this.#keywords();
    const letters = addKeywords(before, keywords);
    if (letters !== before) this.#replace('dovecot-keywords', printKeywords(letters));
    return lettersFor(letters, keywords).text;
  }

  #replace(name: string, text: string): void {
    fs.writeFileSync(this.#path(`${name}.tmp`), text, { mode: 0o600 });
    fs.renameSync(this.#path(`${name}.tmp`), this.#path(name));
  }

  #path(at: string): string {
    return join(this.#directory, at);
  }
}

function nextUid({ uidNext, records }: UidlistFacts): number {
  return Math.max(uidNext, (records.at(-1)?.uid ?? 0) + 1);
}

function withRecord(list: UidlistFacts, record: UidlistRecord): UidlistFacts {
  return { ...list, records: [...list.records, record], uidNext: Math.max(nextUid(list), record.uid + 1) };
}

function virtualSize(bytes: Uint8Array): number {
  let size = bytes.length;
  bytes.forEach((byte, i) => {
    if (byte === 0x0a && bytes[i - 1] !== 0x0d) size++;
  });
  return size;
}
