import fs from 'node:fs';

import type { MailboxPath, MailGuid, Modseq, Uid } from '@dsync/protocol';

import { isErrno, StoreError } from '../errors.ts';
import type { JournalHead, JournalMail } from '../journal/journal.ts';
import { countedModseq } from '../journal/observe.ts';
import { statusOf } from '../journal/status.ts';
import type {
  Attribute,
  Mailbox,
  MailboxChanges,
  MailboxStatus,
  MailboxTransaction,
  MailContent,
  MailFacts,
  MailRecord,
} from '../mail-store.ts';
import type { Box } from './box.ts';
import { headOf } from './context.ts';
import { openContent, virtualSizeOf } from './content.ts';
import { baseOf } from './mail-identity.ts';
import { Pop3Notes } from './pop3-notes.ts';
import { takeMailboxLock } from './sync-lock.ts';
import { MaildirTransaction } from './transaction.ts';

export class MaildirMailbox implements Mailbox {
  readonly path: MailboxPath;
  readonly #box: Box;
  readonly #pop3: Pop3Notes;

  constructor(box: Box) {
    this.path = box.path;
    this.#pop3 = new Pop3Notes(box.folder);
    this.#box = box;
  }

  async status(): Promise<MailboxStatus> {
    return statusOf(await this.#look());
  }

  changes(): Promise<MailboxChanges>;
  changes(since: { readonly uid: number; readonly modseq: bigint }): Promise<MailboxChanges | null>;
  async changes(since?: { readonly uid: number; readonly modseq: bigint }): Promise<MailboxChanges | null> {
    const box = this.#box;
    const { journal } = box.context;
    const head = await box.mutex.run(() => box.beginTracking());
    if (since !== undefined && (since.modseq < head.historyFrom || since.modseq > head.highestModseq)) return null;
    const mails = journal.mails(head.guid).map((mail) => recordOf(mail, countedModseq(head, mail)));
    return {
      mails: since === undefined ? mails : mails.filter((mail) => mail.uid > since.uid || mail.modseq > since.modseq),
      expunges: journal.expunges(head.guid, since?.modseq ?? 0n),
    };
  }

  async facts(): Promise<ReadonlyMap<Uid, MailFacts>> {
    const head = await this.#look();
    const { folder } = this.#box;
    const facts = new Map<Uid, MailFacts>();
    const noted = new Map(folder.readUidlist()?.records.map((record) => [record.base, record]));
    for (const mail of this.#box.context.journal.mails(head.guid)) {
      const at = this.#locate(baseOf(mail), mail.name);
      if (at === null) continue;
      try {
        const received = Math.floor(fs.statSync(folder.path(at)).mtimeMs / 1000);
        facts.set(mail.uid, {
          received,
          virtualSize: virtualSizeOf(folder.path(at), baseOf(mail), noted.get(baseOf(mail))?.fields ?? ''),
        });
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT')) throw StoreError.from(cause, `cannot read a mail of ${this.#box.print}`);
      }
    }
    return facts;
  }

  async attributes(): Promise<readonly Attribute[]> {
    // Nobody but a synchroniser sets them here, so what was seen at the last look holds.
    const { guid } = this.#box.head ?? (await this.#look());
    return this.#box.context.journal.attributes(guid);
  }

  async read(uid: Uid, guid: MailGuid): Promise<MailContent | null> {
    const box = this.#box;
    const mail = box.context.journal.mail(box.guid, uid);
    if (mail === undefined || mail.guid !== guid) return null;
    const base = baseOf(mail);
    const note = this.#pop3.of(base);
    const opened = openContent(box.folder.path(mail.name), base, note);
    if (opened !== null) return opened;
    // Renamed by somebody (a flag was set), or gone.
    const at = box.folder.list().get(base)?.at;
    return at === undefined ? null : openContent(box.folder.path(at), base, note);
  }

  async begin(): Promise<MailboxTransaction> {
    // Otherwise what was seen at the last look is what the caller goes by; the commit finds out what happened since.
    if (this.#box.head === null) await this.#look();
    return new MaildirTransaction(this.#box);
  }

  async lock(timeoutMs: number): Promise<AsyncDisposable> {
    const { context, syncLock, print } = this.#box;
    const lock = await takeMailboxLock(syncLock, print, timeoutMs);
    // Another process may have synchronised it since it was looked at.
    if (this.#box.head !== null) this.#box.head = headOf(context, this.#box.head.guid) ?? this.#box.head;
    if (this.#box.isLeftLocked) await this.#box.mutex.run(() => this.#box.tidyUp());
    return lock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#box.forget();
  }

  async #look(): Promise<JournalHead> {
    return this.#box.mutex.run(() => this.#box.look());
  }

  #locate(base: string, name: string): string | null {
    const { folder } = this.#box;
    if (fs.existsSync(folder.path(name))) return name;
    return folder.list().get(base)?.at ?? null;
  }
}

/** What others are told of a mail; each member by itself, since copying an object in part costs several times as much. */
function recordOf(mail: JournalMail, modseq: Modseq): MailRecord {
  const { uid, guid, flags, keywords, addedFlags, removedFlags, addedKeywords, removedKeywords } = mail;
  return { uid, guid, modseq, flags, keywords, addedFlags, removedFlags, addedKeywords, removedKeywords };
}
