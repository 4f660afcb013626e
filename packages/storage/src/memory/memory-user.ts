/** What users and administrators do to a store in memory; a sync finds it out as it does with any store. */
import type { MailboxGuid, MailboxPath, MailGuid, Uid } from '@dsync/protocol';
import { mailGuid, uid as checkedUid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import { applySync, type SyncChanges } from '../journal/apply-sync.ts';
import { normalKeywords, withoutKeywords } from '../journal/keywords.ts';
import type { MailboxNumbers } from '../mail-store.ts';
import { isInbox } from '../paths.ts';
import { Content, type ContentFacts } from './content.ts';
import type { Box, MemoryState, StoredMail } from './memory-state.ts';

/** A mail as a user or a delivery agent puts it into a mailbox. */
export interface Delivery {
  /** Absent: a new one. */
  readonly guid?: MailGuid;
  readonly flags?: number;
  readonly keywords?: readonly string[];
  /** Unix seconds; absent: now. */
  readonly received?: number;
  readonly pop3Uidl?: string;
  readonly body: Uint8Array;
}

/** A mailbox as it is when the story begins. */
export interface InitialMailbox {
  readonly guid: MailboxGuid;
  readonly uidValidity: number;
  /** Absent: highest UID + 1. */
  readonly uidNext?: number;
  readonly mails: readonly (Delivery & { readonly uid: Uid; readonly guid: MailGuid })[];
}

export class MemoryUser {
  readonly #state: MemoryState;
  #saved: Pick<MemoryState, 'boxes' | 'directories' | 'journal'> | null = null;
  #guids = 0;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  /** Puts a mailbox there that has no history: nobody has created it, nor delivered its mails. */
  async place(path: MailboxPath, initial: InitialMailbox): Promise<void> {
    const state = this.#state;
    const box = state.createBox(path, { guid: initial.guid, uidValidity: initial.uidValidity, createdAt: 0 });
    for (const mail of initial.mails) box.mails.set(mail.uid, this.#stored(mail));
    box.uidNext = initial.uidNext ?? Math.max(0, ...initial.mails.map(({ uid }) => uid)) + 1;
    await this.loseHistory(path);
  }

  /** A subscription without history. */
  async placeSubscription(path: MailboxPath): Promise<void> {
    this.#state.remember(path, { subscribed: true });
  }

  async append(path: MailboxPath, mail: Delivery): Promise<Uid> {
    return this.#act(path, (box) => this.#add(box, this.#stored(mail)));
  }

  async expunge(path: MailboxPath, uid: number): Promise<void> {
    await this.#act(path, (box) => {
      this.#mail(box, uid);
      box.mails.delete(checkedUid(uid));
    });
  }

  async changeFlags(
    path: MailboxPath,
    uid: number,
    how: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
  ): Promise<void> {
    await this.#act(path, (box) => {
      const mail = this.#mail(box, uid);
      const changed = {
        add: () => ({ flags: mail.flags | flags, keywords: normalKeywords([...mail.keywords, ...keywords]) }),
        remove: () => ({ flags: mail.flags & ~flags, keywords: withoutKeywords(mail.keywords, keywords) }),
        replace: () => ({ flags, keywords: normalKeywords(keywords) }),
      }[how]();
      box.mails.set(checkedUid(uid), { ...mail, ...changed });
    });
  }

  async move(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    const moved = await this.copy(path, uid, to);
    await this.expunge(path, uid);
    return moved;
  }

  /** The copy keeps GUID, flags and keywords. */
  async copy(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    const mail = this.#mail(this.#state.mustBoxAt(path), uid);
    return this.#act(to, (box) => this.#add(box, mail));
  }

  async createMailbox(
    path: MailboxPath,
    as: { readonly guid: MailboxGuid; readonly uidValidity: number },
  ): Promise<void> {
    this.#state.createBox(path, { ...as, createdAt: this.#state.now() });
  }

  async createDirectory(path: MailboxPath): Promise<void> {
    this.#state.createDirectory(path);
  }

  /** Deletes a mailbox or an empty directory. */
  async delete(path: MailboxPath): Promise<void> {
    const box = this.#state.boxAt(path);
    if (box === undefined) return this.#state.removeDirectory(path, this.#state.now());
    if (isInbox(path) && !this.#state.inboxDeletable) throw new StoreError('InvalidName', "INBOX can't be deleted");
    this.#state.removeBox(box, this.#state.now());
  }

  async rename(from: MailboxPath, to: MailboxPath): Promise<void> {
    this.#state.rename(from, to, this.#state.now());
  }

  async subscribe(path: MailboxPath): Promise<void> {
    this.#state.checkName(path);
    this.#state.remember(path, { subscribed: true, subscriptionChangedAt: this.#state.now() });
  }

  async unsubscribe(path: MailboxPath): Promise<void> {
    this.#state.remember(path, { subscribed: false, subscriptionChangedAt: this.#state.now() });
  }

  /** An administrator's change; `uidNext` and `highestModseq` only raise. */
  async update(path: MailboxPath, numbers: Omit<MailboxNumbers, 'firstRecentUid'>): Promise<void> {
    const { uidValidity, ...others } = numbers;
    const state = this.#state;
    const box = state.mustBoxAt(path);
    this.#apply(box, { numbers: others, fingerprint: '' });
    state.boxes.delete(box.guid);
    box.guid = others.guid ?? box.guid;
    box.uidNext = Math.max(box.uidNext, others.uidNext ?? 0);
    state.boxes.set(box.guid, box);
    box.uidValidity = uidValidity ?? box.uidValidity;
    state.look(box);
  }

  /** Sets (null: deletes) a metadata entry; `key` begins with `/private/` or `/shared/`. An empty path stands for the server. */
  async setAttribute(path: MailboxPath, key: string, value: string | null): Promise<void> {
    const [, scope, rest] = /^\/(private|shared)\/(.+)$/s.exec(key) ?? [];
    if (scope === undefined || rest === undefined)
      throw new StoreError('InvalidName', `not a metadata entry: ${JSON.stringify(key.slice(0, 200))}`);
    const server = path.length === 0;
    this.#apply(this.#state.mustBoxAt(server ? ['INBOX'] : path), {
      attributes: [
        {
          scope: scope === 'private' ? 'private' : 'shared',
          key: server ? `vendor/vendor.dovecot/pvt/server/${rest}` : rest,
          value,
          changedAt: this.#state.now(),
          modseq: 0n,
        },
      ],
      fingerprint: '',
    });
  }

  /** A client opens the mailbox read-write: no mail is recent for the next one. */
  async select(path: MailboxPath): Promise<void> {
    await this.#act(path, (box) => {
      box.firstRecentUid = box.uidNext;
    });
  }

  /** The journal forgets the mailbox; its attributes stay. */
  async loseHistory(path: MailboxPath): Promise<void> {
    const { journal } = this.#state;
    const box = this.#state.mustBoxAt(path);
    const attributes = journal.attributes(box.guid).filter(({ value }) => value !== null);
    journal.drop(box.guid, null);
    this.#state.look(box);
    if (attributes.length > 0) this.#apply(box, { attributes, fingerprint: '' });
  }

  /** Another mail lies behind a UID; nobody has noted it anywhere. */
  async replaceMail(path: MailboxPath, uid: number, guid: MailGuid, body: Uint8Array): Promise<void> {
    await this.#act(path, (box) => {
      const mail = this.#mail(box, uid);
      box.mails.set(checkedUid(uid), { ...mail, guid, content: new Content(body, mail.content.facts) });
    });
  }

  /** Remembers the whole store, for `restore`. */
  async snapshot(): Promise<void> {
    this.#saved = this.#state.copy();
  }

  /** Puts the whole store back, journal and all. */
  async restore(): Promise<void> {
    if (this.#saved === null) throw new StoreError('NotFound', 'there is no snapshot to restore');
    Object.assign(this.#state, this.#saved);
    this.#saved = this.#state.copy();
  }

  async #act<T>(path: MailboxPath, action: (box: Box) => T): Promise<T> {
    const box = this.#state.mustBoxAt(path);
    const result = action(box);
    this.#state.look(box);
    return result;
  }

  #apply(box: Box, changes: SyncChanges): void {
    this.#state.journal.apply([applySync(this.#state.memory(box), changes)]);
  }

  #add(box: Box, mail: StoredMail): Uid {
    const uid = checkedUid(box.uidNext);
    box.mails.set(uid, mail);
    box.uidNext = uid + 1;
    return uid;
  }

  #mail(box: Box, uid: number): StoredMail {
    const mail = box.mails.get(checkedUid(uid));
    if (mail === undefined)
      throw new StoreError('NotFound', `no mail with UID ${uid} in mailbox ${this.#state.print(box.path)}`);
    return mail;
  }

  #stored(mail: Delivery): StoredMail {
    const now = this.#state.now();
    const facts: ContentFacts = {
      received: mail.received ?? now,
      saved: now,
      ...(mail.pop3Uidl === undefined ? {} : { pop3Uidl: mail.pop3Uidl }),
    };
    return {
      guid: mail.guid ?? mailGuid(`memory-${now}-${++this.#guids}-${Math.random().toString(36).slice(2)}`),
      flags: mail.flags ?? 0,
      keywords: normalKeywords(mail.keywords ?? []),
      content: new Content(mail.body, facts),
    };
  }
}
