import { randomBytes } from 'node:crypto';

import type { Body, MailboxGuid, MailGuid, Uid } from '@dsync/protocol';
import { guid128, mailGuid, uid as checkedUid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import { applySync, type SyncChanges, type SyncedMail } from '../journal/apply-sync.ts';
import { normalKeywords, withoutKeywords } from '../journal/keywords.ts';
import { settleUids, type SettledUids } from '../journal/settle-uids.ts';
import type {
  Attribute,
  CommitResult,
  MailboxNumbers,
  MailboxTransaction,
  NewMail,
  PlacedMail,
} from '../mail-store.ts';
import { Content, readWhole } from './content.ts';
import type { Box, MemoryState, StoredMail } from './memory-state.ts';

interface Incoming {
  readonly how: 'save' | 'copy' | 'keep';
  readonly mail: PlacedMail;
  readonly content: Content;
}

interface FlagChange {
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: bigint;
}

export class MemoryTransaction implements MailboxTransaction {
  readonly #state: MemoryState;
  readonly #box: Box;
  /** The mails as they were at the beginning. */
  readonly #before: ReadonlyMap<Uid, StoredMail>;
  readonly #uidNextAtBegin: number;
  readonly #incoming: Incoming[] = [];
  readonly #renumbered = new Map<Uid, Uid>();
  readonly #flagged = new Map<Uid, FlagChange>();
  readonly #expunged = new Map<Uid, MailGuid>();
  readonly #attributes: Attribute[] = [];
  #rebuild: { readonly guid: MailboxGuid; readonly uidValidity: number } | null = null;
  #numbers: MailboxNumbers = {};
  #used = false;
  #ended = false;

  constructor(state: MemoryState, box: Box) {
    this.#state = state;
    this.#box = box;
    this.#before = new Map(box.mails);
    this.#uidNextAtBegin = box.uidNext;
  }

  async save(mail: NewMail, body: Body): Promise<void> {
    this.#use();
    const { received, saved, pop3Uidl, pop3Order } = mail;
    const facts = {
      received,
      saved: saved ?? this.#state.now(),
      ...(pop3Uidl === undefined ? {} : { pop3Uidl }),
      ...(pop3Order === undefined ? {} : { pop3Order }),
    };
    const content = new Content(await readWhole(body), facts);
    this.#mustBeOpen();
    this.#incoming.push({ how: 'save', mail: this.#named(mail), content });
  }

  copy(from: Uid, mail: PlacedMail): void {
    this.#take('copy', from, mail);
  }

  keep(from: Uid, as: PlacedMail): void {
    this.#take('keep', from, as);
  }

  renumber(from: Uid, to: Uid): void {
    this.#use();
    this.#renumbered.set(from, to);
  }

  setFlags(uid: Uid, flags: number, keywords: readonly string[], modseq: bigint): void {
    this.#use();
    this.#flagged.set(uid, { flags, keywords, modseq });
  }

  expunge(uid: Uid, guid: MailGuid): void {
    this.#use();
    this.#expunged.set(uid, guid);
  }

  rebuild(as: { readonly guid: MailboxGuid; readonly uidValidity: number }): void {
    if (this.#used) throw new StoreError('Temporary', 'a rebuild must be the first call of a transaction');
    this.#use();
    this.#rebuild = as;
  }

  update(numbers: MailboxNumbers): void {
    this.#use();
    this.#numbers = { ...this.#numbers, ...numbers };
  }

  setAttribute(attribute: Attribute): void {
    this.#use();
    this.#attributes.push(attribute);
  }

  async commit(): Promise<CommitResult> {
    this.#mustBeOpen();
    const box = this.#box;
    if (this.#state.boxes.get(box.guid) !== box) {
      throw new StoreError('NotFound', `mailbox ${this.#state.print(box.path)} doesn't exist any more`);
    }
    const memory = this.#state.memory(box);
    this.#ended = true;
    const uids = this.#settle(box);
    const changes = this.#rebuild === null ? this.#changes(box, uids) : this.#rebuilt(this.#rebuild);
    const step = applySync(memory, changes);
    this.#apply(box, changes);
    const { guid, uidValidity, uidNext, firstRecentUid } = step.head;
    this.#state.boxes.delete(box.guid);
    Object.assign(box, { guid, uidValidity, uidNext, firstRecentUid });
    this.#state.boxes.set(guid, box);
    this.#state.journal.apply([step]);
    const count = (how: Incoming['how']): number => this.#incoming.filter((mail) => mail.how === how).length;
    return {
      uidsChanged: uids.uidsChanged,
      modseqBefore: memory.head.highestModseq,
      saved: count('save'),
      copied: count('copy'),
      flagged: [...(changes.flagged ?? [])].length,
      expunged: [...(changes.expunged ?? [])].length,
      renumbered: [...(changes.renumbered ?? [])].length - uids.racing.size,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
  }

  #settle(box: Box): SettledUids {
    if (this.#rebuild !== null) return { wanted: new Map(), racing: new Map(), uidsChanged: false };
    const wanted = [...this.#incoming.map(({ mail }) => mail.uid), ...this.#renumbered.values()];
    const present = [...box.mails.keys()].filter((uid) => !this.#renumbered.has(uid));
    return settleUids(wanted, this.#uidNextAtBegin, box.uidNext, present);
  }

  /** What is to be done to the mailbox as it is now; mails that others expunged meanwhile are left out. */
  #changes(box: Box, uids: SettledUids): SyncChanges {
    const final = (uid: number): Uid => checkedUid(uids.wanted.get(uid) ?? uid);
    const expunged = [...this.#expunged].filter(([uid, guid]) => box.mails.get(uid)?.guid === guid).map(([uid]) => uid);
    const gone = new Set<number>(expunged);
    const lives = (uid: Uid): boolean => box.mails.has(uid) && !gone.has(uid);
    return {
      saved: this.#incoming.map(({ mail }) => placed(mail, final(mail.uid))),
      flagged: [...this.#flagged]
        .filter(([uid]) => lives(uid))
        .map(([uid, change]) => ({ uid, ...this.#merged(box, uid, change) })),
      renumbered: [
        ...[...this.#renumbered].filter(([from]) => lives(from)).map(([from, to]) => ({ from, to: final(to) })),
        ...[...uids.racing]
          .filter(([from]) => !gone.has(from))
          .map(([from, to]) => ({ from: checkedUid(from), to: checkedUid(to) })),
      ],
      expunged,
      attributes: this.#attributes,
      numbers: this.#numbers,
      fingerprint: '',
    };
  }

  #rebuilt(as: { readonly guid: MailboxGuid; readonly uidValidity: number }): SyncChanges {
    return {
      rebuilt: true,
      saved: this.#incoming.map(({ mail }) => placed(mail, mail.uid)),
      attributes: this.#attributes,
      numbers: { ...as, ...this.#numbers },
      fingerprint: '',
    };
  }

  /** The wanted flags, with what a user changed since the beginning put on top. */
  #merged(box: Box, uid: Uid, change: FlagChange): FlagChange {
    const now = box.mails.get(uid);
    const before = this.#before.get(uid);
    if (now === undefined || before === undefined || now === before) return change;
    const added = now.flags & ~before.flags;
    const removed = before.flags & ~now.flags;
    const keywords = [
      ...withoutKeywords(change.keywords, withoutKeywords(before.keywords, now.keywords)),
      ...withoutKeywords(now.keywords, before.keywords),
    ];
    return { flags: (change.flags | added) & ~removed, keywords, modseq: change.modseq };
  }

  #apply(box: Box, changes: SyncChanges): void {
    if (changes.rebuilt === true) box.mails.clear();
    for (const { uid, flags, keywords } of changes.flagged ?? []) {
      const mail = mustHave(box.mails, uid);
      box.mails.set(checkedUid(uid), { ...mail, flags, keywords: normalKeywords(keywords) });
    }
    const moving = [...(changes.renumbered ?? [])].map(({ from, to }) => ({
      from,
      to,
      mail: mustHave(box.mails, from),
    }));
    for (const { from } of moving) box.mails.delete(checkedUid(from));
    for (const { to, mail } of moving) box.mails.set(to, mail);
    for (const uid of changes.expunged ?? []) box.mails.delete(checkedUid(uid));
    const saved = [...(changes.saved ?? [])];
    this.#incoming.forEach(({ content }, i) => {
      const mail = saved[i];
      if (mail === undefined) return;
      box.mails.set(mail.uid, { guid: mail.guid, flags: mail.flags, keywords: normalKeywords(mail.keywords), content });
    });
  }

  /** With the GUID that it gets here. */
  #named<T extends PlacedMail>(mail: T, present?: MailGuid): T {
    if (this.#state.onlyGuid128) return { ...mail, guid: mailGuid(guid128(mail.guid)) };
    if (this.#state.keepsMailGuids) return mail;
    return { ...mail, guid: present ?? mailGuid(randomBytes(16).toString('hex')) };
  }

  #take(how: 'copy' | 'keep', from: Uid, mail: PlacedMail): void {
    this.#use();
    const source = this.#before.get(from) ?? this.#box.mails.get(from);
    // Expunged by somebody else meanwhile: there is nothing left to copy, and the other side has it still.
    if (source === undefined) return;
    const { content } = source;
    const { pop3Uidl, pop3Order } = mail;
    const facts = {
      ...(pop3Uidl === undefined ? {} : { pop3Uidl }),
      ...(pop3Order === undefined ? {} : { pop3Order }),
    };
    this.#incoming.push({ how, mail: this.#named(mail, source.guid), content: content.with(facts) });
  }

  #use(): void {
    this.#mustBeOpen();
    this.#used = true;
  }

  #mustBeOpen(): void {
    if (this.#ended)
      throw new StoreError('Temporary', `the transaction on mailbox ${this.#state.print(this.#box.path)} has ended`);
  }
}

function placed(mail: PlacedMail, uid: Uid): SyncedMail {
  return { uid, guid: mail.guid, flags: mail.flags, keywords: mail.keywords, modseq: mail.modseq, name: '' };
}

function mustHave(mails: ReadonlyMap<number, StoredMail>, uid: number): StoredMail {
  const mail = mails.get(uid);
  if (mail === undefined) throw new StoreError('NotFound', `no mail with UID ${uid}`);
  return mail;
}
