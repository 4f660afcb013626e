/** A journal in memory: for stores that live in memory, and for tests. */
import type { MailboxGuid, MailboxPath, Modseq } from '@dsync/protocol';

import type { PrivateFlags } from '../mail-store.ts';
import type { Met } from '../met.ts';
import { pathKey } from '../paths.ts';
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
import { isBlankName } from './names.ts';

/** A journal that can also be written to at once, without a promise. */
export interface MemoryJournal extends Journal {
  /** `write` at once. @throws {JournalConflict} */
  apply(steps: readonly JournalStep[]): void;
  /** `writeNames` at once. */
  applyNames(names: readonly JournalName[]): void;
  /** `dropMailbox` at once. */
  drop(guid: MailboxGuid, deletedAt: number | null): void;
  name(path: MailboxPath): JournalName | undefined;
  /** One of its own with the same contents. */
  copy(): MemoryJournal;
}

/** An empty one. */
export function createMemoryJournal(): MemoryJournal {
  return new InMemory();
}

class Rows {
  readonly mails = new Map<number, JournalMail>();
  readonly expunges = new Map<number, JournalExpunge>();
  readonly attributes = new Map<string, JournalAttribute>();
  privateFlags: PrivateFlags | null = null;

  copy(): Rows {
    const rows = new Rows();
    for (const [uid, mail] of this.mails) rows.mails.set(uid, mail);
    for (const [uid, expunge] of this.expunges) rows.expunges.set(uid, expunge);
    for (const [id, attribute] of this.attributes) rows.attributes.set(id, attribute);
    rows.privateFlags = this.privateFlags;
    return rows;
  }
}

class InMemory implements MemoryJournal {
  readonly #heads = new Map<MailboxGuid, JournalHead>();
  readonly #rows = new Map<MailboxGuid, Rows>();
  readonly #names = new Map<string, JournalName>();
  readonly #deleted = new Map<MailboxGuid, number>();
  readonly #met = new Map<string, ReadonlyMap<MailboxGuid, Met>>();

  heads(): ReadonlyMap<MailboxGuid, JournalHead> {
    return new Map(this.#heads);
  }

  head(guid: MailboxGuid): JournalHead | undefined {
    return this.#heads.get(guid);
  }

  mails(guid: MailboxGuid): readonly JournalMail[] {
    return [...(this.#rows.get(guid)?.mails.values() ?? [])].toSorted((a, b) => a.uid - b.uid);
  }

  mail(guid: MailboxGuid, uid: number): JournalMail | undefined {
    return this.#rows.get(guid)?.mails.get(uid);
  }

  expunges(guid: MailboxGuid, since: Modseq): readonly JournalExpunge[] {
    const all = [...(this.#rows.get(guid)?.expunges.values() ?? [])];
    return all.filter(({ modseq }) => modseq > since).toSorted((a, b) => a.uid - b.uid);
  }

  attributes(guid: MailboxGuid): readonly JournalAttribute[] {
    return [...(this.#rows.get(guid)?.attributes.values() ?? [])];
  }

  apply(steps: readonly JournalStep[]): void {
    for (const { before, formerGuid, head } of steps) {
      if (before === undefined) continue;
      const now = this.#heads.get(formerGuid ?? head.guid) ?? null;
      if (!isSameGround(before, now)) throw new JournalConflict(head.path);
    }
    for (const step of steps) this.#applyStep(step);
  }

  async write(steps: readonly JournalStep[]): Promise<void> {
    this.apply(steps);
  }

  names(): readonly JournalName[] {
    return [...this.#names.values()];
  }

  name(path: MailboxPath): JournalName | undefined {
    return this.#names.get(pathKey(path));
  }

  applyNames(names: readonly JournalName[]): void {
    for (const name of names) {
      if (isBlankName(name)) this.#names.delete(pathKey(name.path));
      else this.#names.set(pathKey(name.path), name);
    }
  }

  async writeNames(names: readonly JournalName[]): Promise<void> {
    this.applyNames(names);
  }

  deletedMailboxes(): ReadonlyMap<MailboxGuid, number> {
    return new Map(this.#deleted);
  }

  metAt(peer: string): ReadonlyMap<MailboxGuid, Met> {
    return new Map(this.#met.get(peer));
  }

  async writeMet(peer: string, met: ReadonlyMap<MailboxGuid, Met>): Promise<void> {
    const all = [...this.metAt(peer), ...met];
    if (!this.#met.has(peer) && this.#met.size === PEERS_REMEMBERED) this.#met.clear();
    this.#met.set(peer, new Map(all.filter(([guid]) => this.#heads.has(guid))));
  }

  privateFlags(guid: MailboxGuid): PrivateFlags | null {
    return this.#rows.get(guid)?.privateFlags ?? null;
  }

  async writePrivateFlags(guid: MailboxGuid, flags: PrivateFlags): Promise<void> {
    const rows = this.#rows.get(guid);
    if (rows !== undefined) rows.privateFlags = flags;
  }

  drop(guid: MailboxGuid, deletedAt: number | null): void {
    this.#heads.delete(guid);
    this.#rows.delete(guid);
    if (deletedAt !== null) this.#deleted.set(guid, deletedAt);
  }

  async dropMailbox(guid: MailboxGuid, deletedAt: number | null): Promise<void> {
    this.drop(guid, deletedAt);
  }

  copy(): MemoryJournal {
    const copy = new InMemory();
    for (const [guid, head] of this.#heads) copy.#heads.set(guid, head);
    for (const [guid, rows] of this.#rows) copy.#rows.set(guid, rows.copy());
    for (const [key, name] of this.#names) copy.#names.set(key, name);
    for (const [guid, time] of this.#deleted) copy.#deleted.set(guid, time);
    for (const [peer, met] of this.#met) copy.#met.set(peer, met);
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #applyStep(step: JournalStep): void {
    const { guid } = step.head;
    if (step.formerGuid !== undefined && step.formerGuid !== guid) this.#move(step.formerGuid, guid);
    let rows = this.#rows.get(guid);
    if (rows === undefined) this.#rows.set(guid, (rows = new Rows()));
    if (step.reset === true) {
      rows.mails.clear();
      rows.expunges.clear();
      rows.privateFlags = null;
    }
    for (const uid of step.remove ?? []) rows.mails.delete(uid);
    for (const expunge of step.expunged ?? []) rows.expunges.set(expunge.uid, expunge);
    for (const mail of step.put ?? []) {
      rows.mails.set(mail.uid, mail);
      rows.expunges.delete(mail.uid);
    }
    for (const attribute of step.attributes ?? [])
      rows.attributes.set(`${attribute.scope}/${attribute.key}`, attribute);
    this.#heads.set(guid, step.head);
    this.#deleted.delete(guid);
  }

  #move(from: MailboxGuid, to: MailboxGuid): void {
    const rows = this.#rows.get(from);
    if (rows !== undefined) this.#rows.set(to, rows);
    this.#rows.delete(from);
    this.#heads.delete(from);
  }
}
