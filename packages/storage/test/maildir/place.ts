/** A Maildir with some mail in it, for others to change. */
import fs from 'node:fs';
import { join } from 'node:path';

import { mailboxGuid, mailGuid, uid, type MailboxGuid } from '@dsync/protocol';

import {
  openMaildirStore,
  type Mailbox,
  type MaildirStoreOptions,
  type MailStore,
  type NewMail,
} from '../../src/index.ts';
import { makeHome } from './dovecot.ts';

export const A = mailboxGuid('a'.repeat(32));
export const B = mailboxGuid('b'.repeat(32));
const INBOX = mailboxGuid('1'.repeat(32));

/** Mail `number`, seen, with the GUID `guid-<number>`. */
export const newMail = (number: number, facts: Partial<NewMail> = {}): NewMail => ({
  uid: uid(number),
  guid: mailGuid(`guid-${number}`),
  flags: 8,
  keywords: [],
  modseq: 1n,
  received: 1_600_000_000,
  ...facts,
});

/** The bytes of mail `number`. */
export const body = (number: number): Buffer => Buffer.from(`Subject: ${number}\n\ntext\n`);

/** Where a store lies. */
export class Place {
  readonly root: string;

  constructor(root = join(makeHome(), 'Maildir')) {
    this.root = root;
  }

  /** A fresh process's view of it. */
  open(options: Partial<MaildirStoreOptions> = {}): Promise<MailStore> {
    return openMaildirStore({
      root: this.root,
      journal: 'auto',
      fsync: 'on',
      create: true,
      hostname: 'host.example',
      ...options,
    });
  }

  /** The directory of a mailbox. */
  folder(name: string): string {
    return join(this.root, `.${name}`);
  }

  /** The paths of its mail files. */
  files(name: string): string[] {
    const folder = this.folder(name);
    return ['cur', 'new'].flatMap((place) =>
      fs.readdirSync(join(folder, place)).map((file) => join(folder, place, file)),
    );
  }
}

/** INBOX, and the mailboxes A and B with mails 1 to 3 each, which a sync has looked at. */
export async function makePlace(): Promise<Place> {
  const place = new Place();
  await using store = await place.open();
  await store.createMailbox(['INBOX'], { guid: INBOX, uidValidity: 5, createdAt: 0 });
  for (const [name, guid] of [
    ['A', A],
    ['B', B],
  ] as const) {
    await store.createMailbox([name], { guid, uidValidity: 7, createdAt: 0 });
    await using mailbox = await mustOpen(store, guid);
    await save(mailbox, 1, 2, 3);
    await mailbox.changes();
  }
  await store.readTree();
  return place;
}

/** A mailbox that is there. */
export async function mustOpen(store: MailStore, guid: MailboxGuid = A): Promise<Mailbox> {
  const mailbox = await store.openMailbox(guid);
  if (mailbox === null) throw new Error('no such mailbox');
  return mailbox;
}

/** Saves mails in one transaction. */
export async function save(mailbox: Mailbox, ...numbers: readonly number[]): Promise<void> {
  await using transaction = await mailbox.begin();
  for (const number of numbers) await transaction.save(newMail(number), body(number));
  transaction.update({ uidNext: Math.max(...numbers) + 1 });
  await transaction.commit();
}

/** UIDs and GUIDs, such as `1=guid-1 2=guid-2`. */
export async function mails(mailbox: Mailbox): Promise<string> {
  return (await mailbox.changes()).mails.map((mail) => `${mail.uid}=${mail.guid}`).join(' ');
}

/** The same of the expunges that are remembered. */
export async function expunges(mailbox: Mailbox): Promise<string> {
  return (await mailbox.changes()).expunges.map((expunge) => `${expunge.uid}=${expunge.guid}`).join(' ');
}

/** `mails` of a mailbox as `makePlace` makes it. */
export const ALL = '1=guid-1 2=guid-2 3=guid-3';
