/** What every part of the acceptance suite stands on. */
import { createHash } from 'node:crypto';

import { mailboxGuid, mailGuid, uid, type Body, type MailboxGuid, type MailboxPath, type Uid } from '@dsync/protocol';
import {
  addToDigest,
  attributeDigest,
  mailDigest,
  printDigest,
  type Mailbox,
  type MailRecord,
  type MailStore,
  type NewMail,
  type PlacedMail,
  type TreeNode,
} from '@dsync/storage';

import type { MailUser } from '../mail-user.ts';

/** One store for one test. */
export interface StoreUnderTest extends AsyncDisposable {
  /** Opens the store, which its opener closes; anything that was committed before is to be seen. */
  open(): Promise<MailStore>;
  readonly user: MailUser;
}

/** What a store under test must go by. */
export interface StageOptions {
  readonly separator: string;
  /** The time in Unix seconds. */
  readonly now: () => number;
}

/** Makes a store without any mailbox. */
export type StoreFactory = (options: StageOptions) => Promise<StoreUnderTest>;

export const INBOX: MailboxPath = ['INBOX'];
export const INBOX_GUID = box(1);

/** The time at which every test plays, Unix seconds. */
export const NOW = 1_800_000_000;

/** A store with an INBOX, opened as often as a test wants and closed with it. */
export class Stage implements AsyncDisposable {
  readonly user: MailUser;
  readonly #test: StoreUnderTest;
  readonly #open: MailStore[] = [];

  private constructor(test: StoreUnderTest) {
    this.#test = test;
    this.user = test.user;
  }

  /** A store with an INBOX that holds `labels` as UIDs 1, 2, … */
  static async set(factory: StoreFactory, labels: readonly string[] = []): Promise<Stage> {
    const stage = new Stage(await factory({ separator: '/', now: () => NOW }));
    await stage.user.place(INBOX, {
      guid: INBOX_GUID,
      uidValidity: 1001,
      mails: labels.map((label, i) => ({
        uid: uid(i + 1),
        guid: mailGuid(label),
        received: 1_700_000_000,
        body: bodyOf(label),
      })),
    });
    return stage;
  }

  /** A store, closed at the end. */
  async store(): Promise<MailStore> {
    const store = await this.#test.open();
    this.#open.push(store);
    return store;
  }

  async mailbox(path: MailboxPath = INBOX): Promise<Mailbox> {
    return mailboxAt(await this.store(), path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#open.toReversed()) await store[Symbol.asyncDispose]();
    await this.#test[Symbol.asyncDispose]();
  }
}

/** Throws where there is none. */
export async function mailboxAt(store: MailStore, path: MailboxPath): Promise<Mailbox> {
  const guid = (await nodeAt(store, path))?.mailbox?.guid;
  const mailbox = guid === undefined ? null : await store.openMailbox(guid);
  if (mailbox === null) throw new Error(`no mailbox ${path.join('/')}`);
  return mailbox;
}

export async function nodeAt(store: MailStore, path: MailboxPath): Promise<TreeNode | undefined> {
  const { nodes } = await store.readTree();
  return nodes.find((node) => node.path.length === path.length && node.path.every((part, i) => part === path[i]));
}

/** UIDs and GUIDs, such as `1=m1 2=m2`. */
export async function contents(mailbox: Mailbox): Promise<string> {
  return printMails((await mailbox.changes()).mails);
}

export function printMails(mails: readonly MailRecord[]): string {
  return mails.map((mail) => `${mail.uid}=${mail.guid}`).join(' ');
}

/** A mail with these UID and GUID, and nothing else of note but `more`. */
export function newMail(number: number, label: string, more: Partial<NewMail> = {}): NewMail {
  return {
    uid: uid(number),
    guid: mailGuid(label),
    flags: 0,
    keywords: [],
    modseq: 1n,
    received: 1_700_000_000,
    ...more,
  };
}

/** The same for a copy. */
export function placed(number: number, label: string, more: Partial<PlacedMail> = {}): PlacedMail {
  return { uid: uid(number), guid: mailGuid(label), flags: 0, keywords: [], modseq: 1n, ...more };
}

/** A short mail, with LF line ends. */
export function bodyOf(label: string): Uint8Array {
  return Buffer.from(`From: ${label}@example.com\nSubject: ${label}\n\nThis is ${label}.\n`);
}

export async function bytesOf(body: Body): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body);
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

/** A mail's bytes; null if it is not there. */
export async function readBody(mailbox: Mailbox, number: number, label: string): Promise<Buffer | null> {
  await using content = await mailbox.read(uid(number), mailGuid(label));
  return content === null ? null : await bytesOf(content.body);
}

/** The digest computed from nothing but what the mailbox shows. */
export async function recomputedDigest(mailbox: Mailbox): Promise<string> {
  let digest = 0n;
  for (const mail of (await mailbox.changes()).mails) digest = addToDigest(digest, mailDigest(mail));
  for (const { scope, key, value } of await mailbox.attributes()) {
    if (value !== null) digest = addToDigest(digest, attributeDigest(scope, key, value));
  }
  return printDigest(digest);
}

/** The hash by which a store remembers a name, for the separator `/`. */
export function nameHash(path: MailboxPath): string {
  return createHash('sha1').update(path.join('/')).digest('hex').slice(0, 32);
}

/** A mailbox's GUID. */
export function box(n: number): MailboxGuid {
  return mailboxGuid(n.toString(16).padStart(32, '0'));
}

/** A UID. */
export function u(n: number): Uid {
  return uid(n);
}
