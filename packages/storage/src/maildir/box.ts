/**
 * A mailbox of the store as this process knows it, and the look by which it learns what others did to it.
 *
 * A look costs five stats if nothing changed. Otherwise the folder is listed, mails that nobody has numbered get UIDs
 * under Dovecot's lock and in Dovecot's order, and the journal notes the difference.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  isMailGuid,
  mailboxGuid,
  MAX_UID,
  uid as checkedUid,
  type MailboxGuid,
  type MailboxPath,
  type MailGuid,
} from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import { memoryOf, type MailboxMemory } from '../journal/apply-sync.ts';
import { JournalConflict, type JournalHead, type JournalMail } from '../journal/journal.ts';
import { beginTracking, observe, type ObservedMail } from '../journal/observe.ts';
import { flush, headOf, type Context } from './context.ts';
import { isAbandonedLock, takeDotlock } from './dotlock.ts';
import { compareArrival, parseFileName } from './file-name.ts';
import { Folder, isSettled, nowMs, type FoundMail, type Stamp } from './folder.ts';
import { keywordsOf, type KeywordLetters } from './keywords-file.ts';
import { isInbox } from './layout.ts';
import { Mutex } from './mutex.ts';
import { firstUnshown } from './recent.ts';
import { MAILBOX_LOCK } from './sync-lock.ts';
import { hasAbandoned, recover, removeUnfinished } from './temporary.ts';
import { printUidlist, type Uidlist, type UidlistRecord } from './uidlist.ts';
import { nextUidValidity } from './uidvalidity.ts';
import { untoldOf, type UntoldKeywords } from './untold-keywords.ts';

const LOCK_TIMEOUT_MS = 122_000;
/** How often a folder that others are busy in is listed again to be sure that a mail is gone. */
const MAX_LISTINGS = 40;
const RELIST_MS = 15;

/** Everything read at one look. */
export interface View {
  readonly stamp: Stamp;
  /** Whether a later change must leave another stamp. */
  readonly settled: boolean;
  readonly uidlist: Uidlist & { readonly guid: MailboxGuid };
  readonly letters: KeywordLetters;
  readonly files: ReadonlyMap<string, FoundMail>;
}

export class Box {
  readonly context: Context;
  readonly path: MailboxPath;
  readonly folder: Folder;
  /** Serialises looks and commits of this process. */
  readonly mutex = new Mutex();
  /** As last read from or written to the journal, or about to be. */
  head: JournalHead | null = null;
  /** The head that the journal had for this path when the tree was read; undefined: not looked for yet. */
  former: JournalHead | null | undefined;
  /**
   * A new and empty mailbox gets into the journal with its first commit, or when a tree is read: nothing is lost if it
   * is forgotten before that, and making a thousand of them costs no write each.
   */
  #isUnwritten = false;
  readonly #isNew: boolean;
  /** Of the last look in this process, for a commit to see whether anything happened since. */
  #view: View | null = null;

  /** @param isNew made just now, so that nothing can be remembered of it */
  constructor(context: Context, path: MailboxPath, isNew = false) {
    this.context = context;
    this.path = path;
    this.#isNew = isNew;
    this.folder = new Folder(context.layout.places(path));
  }

  /** Of other synchronisers. */
  get syncLock(): string {
    return join(this.folder.places.index, MAILBOX_LOCK);
  }

  /** Whether a process was killed while it held Dovecot's lock: in the middle of a commit, or of a look. */
  get isLeftLocked(): boolean {
    return isAbandonedLock(`${this.folder.uidlistFile}.lock`, this.context.host);
  }

  /** Finishes what that process began. The caller holds the mutex. */
  async tidyUp(): Promise<void> {
    await using _lock = await this.lockUidlist();
    removeUnfinished(this.folder);
    await this.lookLocked();
  }

  get print(): string {
    return `mailbox ${this.context.layout.print(this.path)}`;
  }

  /** Whether the journal does not know it yet. */
  get isUnwritten(): boolean {
    return this.#isUnwritten;
  }

  get guid(): MailboxGuid {
    if (this.head === null) throw new StoreError('NotFound', `${this.print} was never looked at`);
    return this.head.guid;
  }

  /** @throws {StoreError} `Locked` after two minutes */
  lockUidlist(): Promise<AsyncDisposable> {
    const { uid, gid } = this.folder.ownership();
    const guards = this.folder.uidlistFile;
    return takeDotlock(`${guards}.lock`, {
      host: this.context.host,
      timeoutMs: LOCK_TIMEOUT_MS,
      what: this.print,
      guards,
      uid,
      gid,
    });
  }

  /** What is remembered, to be asked piece by piece; after `look`. */
  memory(): MailboxMemory {
    if (this.#isUnwritten && this.head !== null)
      return { head: this.head, mail: () => undefined, mails: () => [], attributes: () => [] };
    const memory = memoryOf(this.context.journal, this.guid);
    if (memory === null) throw new StoreError('Temporary', `${this.print} is missing in the journal`);
    return memory;
  }

  /**
   * Notes what others did since the last look; the caller holds the mutex. The journal is written under Dovecot's lock,
   * so that of two processes that look at once the second sees what the first has noted.
   * @throws {StoreError} `NotFound` when the folder is gone; `Corrupt`, `Permission`, …
   */
  async look(): Promise<JournalHead> {
    const stamp = this.folder.stamp();
    const unchanged = this.#headIfUnchanged(stamp);
    if (unchanged !== null) return unchanged;
    let lock: AsyncDisposable;
    try {
      lock = await this.lockUidlist();
    } catch (cause) {
      if (!(cause instanceof StoreError && cause.code === 'Permission')) throw cause;
      // A store that may only be read: that is enough if nothing in it needs a number.
      const view = this.#read(stamp);
      if (!isComplete(view)) throw cause;
      return this.#note(view);
    }
    try {
      return await this.lookLocked();
    } finally {
      await lock[Symbol.asyncDispose]();
    }
  }

  /** The head that still holds. */
  #headIfUnchanged(stamp: Stamp): JournalHead | null {
    this.#refresh();
    const { head } = this;
    return head !== null && head.fingerprint === stamp.text && samePath(head.path, this.path) ? head : null;
  }

  /** The journal's word counts: another process may have written to it. */
  #refresh(): void {
    if (this.head === null) return;
    const written = headOf(this.context, this.head.guid);
    if (this.#isUnwritten && written === null) return;
    this.#isUnwritten = false;
    this.head = written;
  }

  /** The same for one who holds the uidlist's lock. */
  async lookLocked(): Promise<JournalHead> {
    this.#refresh();
    let view = this.#read(this.folder.stamp());
    if (this.#recover(view)) view = this.#read(this.folder.stamp());
    // While that is flushed, others may deliver more.
    for (let i = 0; !isComplete(view) && i < MAX_LISTINGS; i++) {
      this.#number(view);
      await flush(this.context, [this.folder.uidlistFile, this.folder.places.control]);
      view = this.#read(this.folder.stamp(), view);
    }
    if (!isNumbered(view)) throw new StoreError('Temporary', `${this.print} changes faster than it can be read`);
    const numbered = view;
    return await this.noting(() => this.#note(numbered));
  }

  /**
   * Does `work`, which writes to the journal what it has read there, and again if another process wrote in between. Under
   * Dovecot's lock that is at most the beginning of tracking, which is written without it.
   */
  async noting<T>(work: () => Promise<T>): Promise<T> {
    for (let i = 1; ; i++) {
      try {
        return await work();
      } catch (cause) {
        if (!(cause instanceof JournalConflict) || i === MAX_LISTINGS) throw cause;
        this.#refresh();
      }
    }
  }

  /** Everything as it is now, the journal brought up to it; for one who holds mutex and lock. Nothing is read again if nothing changed. */
  async viewLocked(): Promise<View> {
    const view = this.#view;
    this.#refresh();
    if (view !== null && this.head !== null && view.settled && view.stamp.contents === this.folder.stamp().contents)
      return view;
    await this.lookLocked();
    if (this.#view === null) throw new StoreError('Temporary', `${this.print} cannot be read`);
    return this.#view;
  }

  /** What was read is not needed any more. */
  forget(): void {
    this.#view = null;
  }

  /** After a commit of ours: the head that the journal has now. What was read is no longer true. */
  committed(head: JournalHead): void {
    this.#know(head);
    this.#view = null;
    this.#isUnwritten = false;
  }

  #know(head: JournalHead): void {
    const { boxes } = this.context;
    if (this.head !== null && this.head.guid !== head.guid && boxes.get(this.head.guid) === this)
      boxes.delete(this.head.guid);
    this.head = head;
    boxes.set(head.guid, this);
  }

  /** @param before what was read just now, whose listing holds if the directories are as they were */
  #read(stamp: Stamp, before?: RawView): RawView {
    // The listing first: records are made before files come to their places, so what is listed has its record.
    const holds = before?.settled === true && before.stamp.listing === stamp.listing;
    const settled = isSettled(stamp, nowMs());
    const files = holds ? before.files : this.folder.list();
    return {
      settled,
      stamp,
      files,
      uidlist: this.folder.readUidlist(),
      letters: this.folder.readKeywords(),
    };
  }

  /** Returns whether there was anything to finish or undo. */
  #recover({ uidlist, files }: { uidlist: Uidlist | null; files: ReadonlyMap<string, FoundMail> }): boolean {
    if (!hasAbandoned(this.folder, this.context.host)) return false;
    const bases = new Set(uidlist?.records.map(({ base }) => base));
    const late = recover(
      this.folder,
      this.context.host,
      (base) => bases.has(base),
      (base) => files.has(base),
    );
    if (uidlist === null || uidlist.guid === null || late.size === 0) return true;
    let next = uidNextOf(uidlist);
    const stay = uidlist.records.filter(({ base }) => !late.has(base));
    const move = uidlist.records.filter(({ base }) => late.has(base)).map((record) => ({ ...record, uid: next++ }));
    const text = printUidlist({ ...uidlist, guid: uidlist.guid, uidNext: next, records: [...stay, ...move] });
    this.folder.replaceUidlist(text, this.folder.ownership());
    return true;
  }

  /** Writes records for mails that have none, or the whole list if it is missing. */
  #number({ uidlist, files }: { uidlist: Uidlist | null; files: ReadonlyMap<string, FoundMail> }): void {
    const base = uidlist ?? this.#lostUidlist(files);
    const known = new Set(base.records.map((record) => record.base));
    const unknown = [...files.keys()].filter((name) => !known.has(name)).toSorted(compareArrival);
    let next = Math.max(
      base.uidNext,
      (base.records.at(-1)?.uid ?? 0) + 1,
      sameIdentity(this.head, base) ? (this.head?.uidNext ?? 1) : 1,
    );
    if (next + unknown.length > MAX_UID + 1) throw new StoreError('Temporary', `${this.print} has no UIDs left`);
    const records = [
      ...base.records,
      ...unknown.map((name): UidlistRecord => ({ uid: next++, base: name, guid: null, fields: '' })),
    ];
    const guid = base.guid ?? mailboxGuid(randomBytes(16).toString('hex'));
    this.folder.replaceUidlist(printUidlist({ ...base, guid, uidNext: next, records }), this.folder.ownership());
  }

  /**
   * A uidlist that was lost, put together from what is remembered; or a first one. Without it Dovecot would give every
   * mail a new UID and the mailbox a new identity.
   */
  #lostUidlist(
    files: ReadonlyMap<string, FoundMail>,
  ): Pick<Uidlist, 'uidValidity' | 'uidNext' | 'guid' | 'fields' | 'records'> {
    const { journal, layout } = this.context;
    const head = this.head ?? this.#atThisPath();
    if (head === null)
      return {
        uidValidity: nextUidValidity(layout.roots.control, this.context.now()),
        uidNext: 1,
        guid: null,
        fields: '',
        records: [],
      };
    const records = journal
      .mails(head.guid)
      .map((mail): UidlistRecord => ({
        uid: mail.uid,
        base: baseOf(mail),
        guid: mail.guid === baseOf(mail) ? null : mail.guid,
        fields: '',
      }))
      .filter(({ base }) => files.has(base));
    this.context.warn(`${this.print}: dovecot-uidlist was missing, ${records.length} UIDs restored from the journal`);
    return { uidValidity: head.uidValidity, uidNext: head.uidNext, guid: head.guid, fields: '', records };
  }

  /** Compares with what is remembered and writes down the difference. */
  async #note(view: View): Promise<JournalHead> {
    const { journal } = this.context;
    const { guid } = view.uidlist;
    const unwritten = this.#isUnwritten ? this.head : null;
    let head = unwritten !== null ? null : headOf(this.context, guid);
    const former = head === null && !this.#isNew ? this.#formerIdentity(view) : null;
    head ??= former;
    const mails = head === null ? [] : journal.mails(head.guid);
    const { files, settled: listed } = await this.#confirmExpunges(view, mails);
    // What came after others were numbered is left to the next look.
    const complete = isComplete({ ...view, files });
    const settled = listed && complete;
    const shown = head !== null && head.uidValidity === view.uidlist.uidValidity ? head.firstRecentUid : 1;
    const places = view.uidlist.records.map(({ uid, base }) => ({ uid, at: files.get(base)?.at }));
    const firstRecentUid = firstUnshown(places, shown);
    const observed = observedMails(view, files, mails, this.folder.readUntoldKeywords());
    const { step, changed } = observe(head === null ? null : { head, mails }, {
      guid,
      path: this.path,
      uidValidity: view.uidlist.uidValidity,
      uidNext: uidNextOf(view.uidlist),
      firstRecentUid,
      mails: observed,
      // A known fingerprint holds, however young: it was sealed (seal.ts).
      fingerprint: settled && (view.stamp.text === head?.fingerprint || view.settled) ? view.stamp.text : '',
    });
    this.#isUnwritten = head === null && observed.length === 0;
    if (!this.#isUnwritten && (changed || former !== null))
      await this.#write({ ...step, ...(former === null ? {} : { formerGuid: former.guid, reset: true }) });
    this.#know(step.head);
    this.#view = { ...view, files: complete ? files : numberedOnly(view, files) };
    return step.head;
  }

  /** What is not in the journal yet; for a tree that is read. The caller holds the mutex. */
  async settle(): Promise<void> {
    this.#refresh();
    if (!this.#isUnwritten || this.head === null) return;
    try {
      await this.#write({ head: this.head, before: null });
      this.#isUnwritten = false;
    } catch (cause) {
      // Another process was quicker, and knows at least as much.
      if (!(cause instanceof JournalConflict)) throw cause;
    }
  }

  /** Per-mail modseqs begin with the first sync that looks (sync-semantics.md 5.8). The caller holds the mutex. */
  async beginTracking(): Promise<JournalHead> {
    const seen = await this.look();
    if (seen.baseModseq > 0n) return seen;
    if (this.#isUnwritten) {
      this.head = beginTracking(seen);
      return this.head;
    }
    try {
      return await this.#writeTracking(seen);
    } catch (cause) {
      if (!(cause instanceof JournalConflict)) throw cause;
    }
    // Another process noted something just now; under Dovecot's lock it cannot.
    await using _lock = await this.lockUidlist();
    // Awaited here, so that the lock is held until it is written.
    return await this.#writeTracking(this.#headIfUnchanged(this.folder.stamp()) ?? (await this.lookLocked()));
  }

  /** @throws {JournalConflict} if the journal holds another head than `before` */
  async #writeTracking(before: JournalHead): Promise<JournalHead> {
    const head = beginTracking(before);
    await this.context.journal.write([{ head, before }]);
    this.head = head;
    return head;
  }

  async #write(step: Parameters<Context['journal']['write']>[0][number]): Promise<void> {
    // What the journal claims must be on disk before it.
    if (this.context.unflushed.size > 0) await flush(this.context, []);
    await this.context.journal.write([step]);
  }

  #atThisPath(): JournalHead | null {
    return this.former === undefined ? headAt(this.context, this.path) : this.former;
  }

  /** The identity under which the journal knows these very mails, if the uidlist was made anew by another program. */
  #formerIdentity({ files }: View): JournalHead | null {
    const former = this.head ?? this.#atThisPath();
    if (former === null) return null;
    if (isInbox(this.path)) return former;
    return this.context.journal.mails(former.guid).some((mail) => files.has(baseOf(mail))) ? former : null;
  }

  /**
   * A listing can miss a mail that is being renamed. It counts as gone if two listings miss it between which the
   * directories did not change; one that cannot be settled stays as it was.
   */
  async #confirmExpunges(
    view: View,
    remembered: readonly JournalMail[],
  ): Promise<{ files: ReadonlyMap<string, FoundMail>; settled: boolean }> {
    let files: ReadonlyMap<string, FoundMail> = view.files;
    let before = view.stamp;
    let missing = remembered.filter((mail) => !files.has(baseOf(mail)));
    for (let i = 0; missing.length > 0 && i < MAX_LISTINGS; i++) {
      if (!isSettled(before, nowMs())) await sleep(RELIST_MS);
      before = this.folder.stamp();
      const isStill = isSettled(before, nowMs());
      files = this.folder.list();
      const after = this.folder.stamp();
      const still = remembered.filter((mail) => !files.has(baseOf(mail)));
      const same = isStill && after.contents === before.contents;
      if (same && still.every((mail) => missing.includes(mail)))
        return { files, settled: before.contents === view.stamp.contents };
      missing = still;
    }
    if (missing.length === 0) return { files, settled: files === view.files };
    const kept = new Map(files);
    for (const mail of missing) {
      const parsed = parseFileName(mail.name.slice(4));
      if (parsed !== null) kept.set(parsed.base, { ...parsed, at: mail.name });
    }
    return { files: kept, settled: false };
  }
}

/** The head that the journal has for a name. */
export function headAt(context: Context, path: MailboxPath): JournalHead | null {
  for (const head of context.journal.heads().values()) if (samePath(head.path, path)) return head;
  return null;
}

/** The base name of a remembered mail. */
export function baseOf(mail: JournalMail): string {
  const colon = mail.name.indexOf(':');
  return mail.name.slice(4, colon < 0 ? undefined : colon);
}

export function uidNextOf(uidlist: Uidlist): number {
  return Math.max(uidlist.uidNext, (uidlist.records.at(-1)?.uid ?? 0) + 1);
}

/** A mail's identity in Dovecot's eyes. A base name that cannot be a GUID (blanks) is replaced by what can. */
export function guidOf(record: UidlistRecord): MailGuid {
  const text = record.guid ?? record.base;
  if (isMailGuid(text)) return text;
  const repaired = encodeURIComponent(text).slice(0, 1000);
  if (!isMailGuid(repaired))
    throw new StoreError('Corrupt', `no GUID can be made of the file name ${JSON.stringify(text.slice(0, 80))}`);
  return repaired;
}

export function samePath(a: MailboxPath, b: MailboxPath): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

interface RawView {
  readonly stamp: Stamp;
  readonly settled: boolean;
  readonly uidlist: Uidlist | null;
  readonly letters: KeywordLetters;
  readonly files: ReadonlyMap<string, FoundMail>;
}

/** Whether the mailbox has an identity. */
function isNumbered(view: RawView): view is View {
  return view.uidlist !== null && view.uidlist.guid !== null && view.uidlist.version === 3;
}

function numberedOnly({ uidlist }: View, files: ReadonlyMap<string, FoundMail>): ReadonlyMap<string, FoundMail> {
  const bases = new Set(uidlist.records.map(({ base }) => base));
  return new Map([...files].filter(([base]) => bases.has(base)));
}

/** Whether also every mail has a UID. */
function isComplete(view: RawView): view is View {
  const { uidlist, files } = view;
  if (uidlist === null || !isNumbered(view)) return false;
  const bases = new Set(uidlist.records.map(({ base }) => base));
  for (const base of files.keys()) if (!bases.has(base)) return false;
  return true;
}

function sameIdentity(head: JournalHead | null, uidlist: { readonly uidValidity: number }): boolean {
  return head !== null && head.uidValidity === uidlist.uidValidity;
}

function observedMails(
  { uidlist, letters }: View,
  files: ReadonlyMap<string, FoundMail>,
  remembered: readonly JournalMail[],
  spare: UntoldKeywords,
): ObservedMail[] {
  const untold = untoldOf(letters, remembered);
  const known = spare.size === 0 ? NOBODY : new Set(remembered.map(baseOf));
  const mails: ObservedMail[] = [];
  for (const record of uidlist.records) {
    const file = files.get(record.base);
    if (file === undefined) continue;
    const told = keywordsOf(letters, file.keywordLetters);
    const more = untold.get(record.base) ?? (known.has(record.base) ? undefined : spare.get(record.base));
    mails.push({
      uid: checkedUid(record.uid),
      guid: guidOf(record),
      flags: file.flags,
      keywords: more === undefined ? told : [...told, ...more],
      name: file.at,
    });
  }
  return mails;
}

const NOBODY: ReadonlySet<string> = new Set();
