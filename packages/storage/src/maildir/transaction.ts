/** Collects what is to be done to a mailbox; bodies go to tmp/ at once, everything else waits for the commit. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';

import { monotonicMs, type Body, type MailboxGuid, type MailGuid, type Uid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type {
  Attribute,
  CommitResult,
  MailboxNumbers,
  MailboxTransaction,
  NewMail,
  PlacedMail,
} from '../mail-store.ts';
import type { Box } from './box.ts';
import { commit } from './commit.ts';
import { canBeBase, makeBase } from './file-name.ts';
import { attempt, type Ownership } from './files.ts';
import { measure, writeStream, writeWhole, type Written } from './incoming.ts';
import { addKeywords, lettersFor, type KeywordLetters } from './keywords-file.ts';
import { Workshop } from './temporary.ts';
import { placeOf, type SavedMail, type Work } from './work.ts';

/** A turn of the loop for everybody else after so much work at a stretch. */
const STRETCH_MS = 8;

export class MaildirTransaction implements MailboxTransaction {
  readonly #box: Box;
  readonly #work: Work;
  readonly #owner: Ownership;
  readonly #bases = new Set<string>();
  readonly #firstRecentUid: number;
  #letters: KeywordLetters | null = null;
  /** Whether a new file here gets the folder's owner and mode without our doing. */
  #ownsByItself = false;
  #used = false;
  #ended = false;
  #underWay = 0;

  /** After a look. */
  constructor(box: Box) {
    this.#box = box;
    this.#owner = box.folder.ownership();
    const head = box.memory().head;
    this.#firstRecentUid = head.firstRecentUid;
    this.#work = {
      saved: [],
      copied: [],
      renumbered: new Map(),
      flagged: new Map(),
      expunged: new Map(),
      attributes: [],
      rebuild: null,
      numbers: {},
      uidNextAtBegin: Math.max(head.uidNext, box.uidNextToCome),
      workshop: new Workshop(box.context.host),
      bytes: 0,
    };
  }

  save(mail: NewMail, body: Body): Promise<void> | undefined {
    if (!(body instanceof Uint8Array)) return this.#saveStream(mail, body);
    try {
      this.#beginSave();
      this.#work.saved.push(this.#saveWhole(mail, body));
    } catch (cause) {
      return Promise.reject(StoreError.from(cause, `cannot save a mail in ${this.#box.print}`));
    }
    return breathe();
  }

  copy(from: Uid, mail: PlacedMail): void {
    this.#take('copy', from, mail);
  }

  keep(from: Uid, as: PlacedMail): void {
    this.#take('keep', from, as);
  }

  renumber(from: Uid, to: Uid): void {
    this.#use();
    this.#work.renumbered.set(from, to);
  }

  setFlags(uid: Uid, flags: number, keywords: readonly string[], modseq: bigint): void {
    this.#use();
    this.#work.flagged.set(uid, { flags, keywords, modseq, before: this.#box.memory().mail(uid) });
  }

  expunge(uid: Uid, guid: MailGuid): void {
    this.#use();
    this.#work.expunged.set(uid, guid);
  }

  rebuild(as: { readonly guid: MailboxGuid; readonly uidValidity: number }): void {
    if (this.#used) throw new StoreError('Temporary', 'a rebuild must be the first call of a transaction');
    this.#use();
    this.#work.rebuild = as;
  }

  update(numbers: MailboxNumbers): void {
    this.#use();
    this.#work.numbers = { ...this.#work.numbers, ...numbers };
  }

  setAttribute(attribute: Attribute): void {
    this.#use();
    this.#work.attributes.push(attribute);
  }

  async commit(): Promise<CommitResult> {
    this.#mustBeOpen();
    if (this.#underWay > 0)
      throw new StoreError('Temporary', `a commit of ${this.#box.print} while a save is under way`);
    this.#ended = true;
    this.#box.uidNextToCome = this.#work.saved.reduce((next, { mail }) => Math.max(next, mail.uid + 1), 0);
    try {
      const result = await this.#box.mutex.run(() => commit(this.#box, this.#work));
      this.#work.workshop[Symbol.dispose]();
      return result;
    } catch (cause) {
      this.#tidy();
      throw cause;
    } finally {
      this.#box.uidNextToCome = 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#tidy();
  }

  #beginSave(): void {
    this.#use();
    if (this.#work.saved.length === 0) this.#box.folder.makeMissing(this.#owner);
  }

  #saveWhole(mail: NewMail, body: Uint8Array): SavedMail {
    const saved = this.#name(mail, measure(body));
    const file = { path: this.#temporary(saved), received: mail.received, owner: this.#owner };
    this.#ownsByItself = writeWhole(file, body, !this.#ownsByItself);
    this.#work.bytes += body.length;
    return saved;
  }

  async #saveStream(mail: NewMail, body: Exclude<Body, Uint8Array>): Promise<void> {
    this.#beginSave();
    this.#underWay++;
    try {
      const saved = await this.#writeStream(mail, body);
      if (this.#ended) {
        attempt(() => fs.rmSync(this.#temporary(saved), { force: true }));
        this.#mustBeOpen();
      }
      this.#work.saved.push(saved);
    } finally {
      this.#underWay--;
    }
    await breathe();
  }

  async #writeStream(mail: NewMail, body: Exclude<Body, Uint8Array>): Promise<SavedMail> {
    const { folder } = this.#box;
    // Its name holds its size, which is known only at the end.
    const first = folder.path(this.#work.workshop.name(`new/${randomBytes(8).toString('hex')}`));
    let failure: unknown = null;
    const watched = watch(body, (cause) => (failure = cause));
    try {
      const written = await writeStream({ path: first, received: mail.received, owner: this.#owner }, watched);
      const saved = this.#name(mail, written);
      fs.renameSync(first, this.#temporary(saved));
      this.#work.bytes += written.physicalSize;
      return saved;
    } catch (cause) {
      attempt(() => fs.rmSync(first, { force: true }));
      // What the sender of the body did wrong is his error, not the store's.
      if (cause === failure) throw cause;
      throw StoreError.from(cause, `cannot save a mail in ${this.#box.print}`);
    }
  }

  #name(mail: NewMail, { physicalSize, virtualSize }: Written): SavedMail {
    const usable = canBeBase(mail.guid, physicalSize, virtualSize) && !this.#bases.has(mail.guid);
    const base = usable ? mail.guid : makeBase(this.#box.context.clock, physicalSize, virtualSize);
    this.#bases.add(base);
    const shown = Math.max(this.#firstRecentUid, this.#work.numbers.firstRecentUid ?? 0);
    const at = placeOf(base, mail, this.#lettersOf(mail.keywords), shown);
    return { mail, base, at };
  }

  #lettersOf(keywords: readonly string[]): string {
    if (keywords.length === 0) return '';
    this.#letters = addKeywords(this.#letters ?? this.#box.folder.readKeywords(), keywords);
    return lettersFor(this.#letters, keywords).text;
  }

  #take(how: 'copy' | 'keep', from: Uid, mail: PlacedMail): void {
    this.#use();
    const source = this.#box.memory().mail(from);
    // Expunged by somebody else meanwhile: there is nothing left to copy, and the other side has it still.
    if (source !== undefined) this.#work.copied.push({ how, mail, source });
  }

  #temporary({ at }: SavedMail): string {
    return this.#box.folder.path(this.#work.workshop.name(at));
  }

  #tidy(): void {
    for (const saved of this.#work.saved) attempt(() => fs.unlinkSync(this.#temporary(saved)));
    this.#work.workshop[Symbol.dispose]();
  }

  #use(): void {
    this.#mustBeOpen();
    this.#used = true;
  }

  #mustBeOpen(): void {
    if (this.#ended) throw new StoreError('Temporary', `the transaction on ${this.#box.print} has ended`);
  }
}

async function* watch(body: AsyncIterable<Uint8Array>, failed: (cause: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    failed(cause);
    throw cause;
  }
}

let stretch = 0;

/** Undefined while there is no need for it. */
function breathe(): Promise<void> | undefined {
  if (monotonicMs() - stretch < STRETCH_MS) return undefined;
  return new Promise((resolve) => {
    setImmediate(() => {
      stretch = monotonicMs();
      resolve();
    });
  });
}
