/**
 * A mailbox of the store as this process knows it, and the look by which it learns what others did to it.
 *
 * A look costs five stats if nothing changed. Otherwise the folder is listed, mails that nobody has numbered get UIDs
 * under Dovecot's lock and in Dovecot's order, and the journal notes the difference.
 */
import { join } from 'node:path';

import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { isAbandonedLock, takeDotlock } from '../dotlock.ts';
import { StoreError } from '../errors.ts';
import { memoryOf, type MailboxMemory } from '../journal/apply-sync.ts';
import { JournalConflict, type JournalHead } from '../journal/journal.ts';
import { beginTracking, observe } from '../journal/observe.ts';
import { Mutex } from '../mutex.ts';
import { isInbox, samePath } from '../paths.ts';
import { flush, headAt, headOf, type Context } from './context.ts';
import { makeDirectories } from './files.ts';
import { finishAbandoned } from './finish-abandoned.ts';
import { Folder, isOf, type Stamp } from './folder.ts';
import { listingOf } from './listing.ts';
import { baseOf } from './mail-identity.ts';
import { numberMails } from './number-mails.ts';
import { MAILBOX_LOCK } from './sync-lock.ts';
import { hasAbandoned, removeUnfinished } from './temporary.ts';
import { isComplete, isNumbered, readView, type View } from './view.ts';

const LOCK_TIMEOUT_MS = 122_000;
/** How often a look is begun again because others were quicker. */
const MAX_LOOKS = 40;

/** There is one for each mailbox of an opened store. */
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
  /** UIDNEXT as a commit that is under way will leave it, for the transaction that begins meanwhile; 0 without one. */
  uidNextToCome = 0;
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
  async lockUidlist(): Promise<AsyncDisposable> {
    const { mail, control } = this.folder.places;
    const owner = this.folder.ownership();
    const { uid, gid } = owner;
    // Of a mailbox that another program made, it comes with the first file in it.
    if (control !== mail) makeDirectories(control, owner);
    const guards = this.folder.uidlistFile;
    return await takeDotlock(`${guards}.lock`, {
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
    if (this.#isNew && this.head === null) {
      // As we have made it, there is nothing to number and nothing to write down.
      const view = readView(this.folder, stamp);
      const isAsMade = view.files.size === 0 && isComplete(view) && headOf(this.context, view.uidlist.guid) === null;
      if (isAsMade) return this.#note(view);
    }
    let lock: AsyncDisposable;
    try {
      lock = await this.lockUidlist();
    } catch (cause) {
      if (!(cause instanceof StoreError && cause.code === 'Permission')) throw cause;
      // A store that may only be read: that is enough if nothing in it needs a number.
      const view = readView(this.folder, stamp);
      if (!isComplete(view)) throw cause;
      return this.#note(view);
    }
    try {
      return await this.lookLocked(stamp);
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

  /**
   * The same for one who holds the uidlist's lock.
   * @param stamp made before: what happened since is read, and will be looked at once more
   */
  async lookLocked(stamp: Stamp = this.folder.stamp()): Promise<JournalHead> {
    this.#refresh();
    let view = readView(this.folder, stamp);
    const { shadow, host } = this.context;
    // Where nothing may be touched, that is left to the next run.
    if (shadow === null && finishAbandoned(this.folder, host, view)) view = readView(this.folder, this.folder.stamp());
    // While that is flushed, others may deliver more.
    for (let i = 0; !isComplete(view) && i < MAX_LOOKS; i++) {
      numberMails(this, view);
      await flush(this.context, [this.folder.uidlistFile, this.folder.places.control]);
      view = readView(this.folder, this.folder.stamp(), view);
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
        if (!(cause instanceof JournalConflict) || i === MAX_LOOKS) throw cause;
        this.#refresh();
      }
    }
  }

  /** Everything as it is now, the journal brought up to it; for one who holds mutex and lock. Nothing is read again if nothing changed. */
  async viewLocked(): Promise<View> {
    const view = this.#view;
    this.#refresh();
    const stamp = this.folder.stamp();
    if (view !== null && this.head !== null && view.settled && view.stamp.contents === stamp.contents) return view;
    if (this.head !== null && isOf(this.head.fingerprint, stamp) && !hasAbandoned(this.folder, this.context.host)) {
      // The journal knows it as it is, so that nothing has to be compared. In tmp/ there are the mails that are to come.
      const known = readView(this.folder, stamp);
      if (isComplete(known)) return (this.#view = known);
    }
    await this.lookLocked();
    if (this.#view === null) throw new StoreError('Temporary', `${this.print} cannot be read`);
    return this.#view;
  }

  /** What was read is not needed any more. */
  forget(): void {
    this.#view = null;
  }

  /** After a commit of ours: the head that the journal has now, and the mailbox as it is; null: it has to be read again. */
  committed(head: JournalHead, view: View | null): void {
    this.#know(head);
    this.#view = view;
    this.#isUnwritten = false;
  }

  #know(head: JournalHead): void {
    const { boxes } = this.context;
    if (this.head !== null && this.head.guid !== head.guid && boxes.get(this.head.guid) === this)
      boxes.delete(this.head.guid);
    this.head = head;
    boxes.set(head.guid, this);
  }

  /** Compares with what is remembered and writes down the difference. */
  async #note(view: View): Promise<JournalHead> {
    const { journal } = this.context;
    const { guid } = view.uidlist;
    const unwritten = this.#isUnwritten ? this.head : null;
    let head = unwritten !== null ? null : headOf(this.context, guid);
    const former = head === null && !this.#isNew ? this.#formerIdentity(view) : null;
    head ??= former;
    const remembered = head === null ? null : { head, mails: journal.mails(head.guid) };
    const { listing, read } = await listingOf(this.folder, this.path, view, remembered);
    const { step, changed } = observe(remembered, listing);
    this.#isUnwritten = head === null && listing.mails.length === 0;
    if (!this.#isUnwritten && (changed || former !== null))
      await this.#write({ ...step, ...(former === null ? {} : { formerGuid: former.guid, reset: true }) });
    this.#know(step.head);
    this.#view = read;
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

  /** Per-mail modseqs begin with the first sync that looks (`baseModseq`). The caller holds the mutex. */
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

  /** What the journal has for this name. */
  atThisPath(): JournalHead | null {
    return this.former === undefined ? headAt(this.context, this.path) : this.former;
  }

  /** The identity under which the journal knows these very mails, if the uidlist was made anew by another program. */
  #formerIdentity({ files }: View): JournalHead | null {
    const former = this.head ?? this.atThisPath();
    if (former === null) return null;
    // Another folder has that identity now, a copy of this one: what is remembered can be only one's.
    const holder = this.context.boxes.get(former.guid);
    if (holder !== undefined && holder !== this) return null;
    if (isInbox(this.path)) return former;
    return this.context.journal.mails(former.guid).some((mail) => files.has(baseOf(mail))) ? former : null;
  }
}
