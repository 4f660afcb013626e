/** A store as a reader finds it: everything that two equal sides have in common. */
import type { MailboxGuid, MailGuid, Uid } from '@dsync/protocol';
import type { Mailbox, MailStore } from '@dsync/storage';

import { flagNames, labelOf } from './mails.ts';

/** A mail, flags and keywords in order. */
export interface MailSeen {
  readonly uid: number;
  readonly guid: string;
  readonly flags: readonly string[];
  readonly keywords: readonly string[];
  /** Unix seconds. */
  readonly date: number;
  readonly recent: boolean;
  /** SHA-256 of the bytes; only when asked for. */
  readonly body?: string;
}

/** A mailbox with its mails in UID order. */
export interface MailboxSeen {
  readonly guid: string;
  readonly uidvalidity: number;
  readonly uidnext: number;
  readonly messages: readonly MailSeen[];
  readonly attributes: Readonly<Record<string, string>>;
}

/** A whole side; names are written with its separator. */
export interface SideSeen {
  readonly mailboxes: Readonly<Record<string, MailboxSeen>>;
  readonly subscriptions: readonly string[];
  /** Names without a mailbox: directories, and parents that are implied. */
  readonly directories: readonly string[];
}

/** @param hash makes a digest of a mail's bytes; left out, bodies are not read */
export async function readSide(store: MailStore, hash?: (body: Uint8Array) => string): Promise<SideSeen> {
  const tree = await store.readTree();
  const print = (path: readonly string[]): string => path.join(tree.separator);
  const mailboxes: Record<string, MailboxSeen> = {};
  for (const node of tree.nodes) {
    if (node.mailbox === undefined) continue;
    mailboxes[print(node.path)] = await readMailbox(store, node.mailbox.guid, hash);
  }
  const names = new Set(Object.keys(mailboxes));
  const directories = new Set<string>();
  for (const node of tree.nodes) {
    if (!node.exists) continue;
    for (let length = 1; length <= node.path.length; length++) {
      const name = print(node.path.slice(0, length));
      if (!names.has(name)) directories.add(name);
    }
  }
  return {
    mailboxes: sortKeys(mailboxes),
    subscriptions: tree.nodes
      .filter((n) => n.subscribed)
      .map((n) => print(n.path))
      .toSorted(),
    directories: [...directories].toSorted(),
  };
}

async function readMailbox(
  store: MailStore,
  guid: MailboxGuid,
  hash?: (body: Uint8Array) => string,
): Promise<MailboxSeen> {
  const mailbox = await store.openMailbox(guid);
  if (mailbox === null) throw new Error(`the tree lists a mailbox ${guid} that cannot be opened`);
  await using opened = mailbox;
  const status = await opened.status();
  const { mails } = await opened.changes();
  const facts = await opened.facts();
  const messages: MailSeen[] = [];
  for (const mail of mails) {
    messages.push({
      uid: mail.uid,
      guid: labelOf(mail.guid),
      flags: flagNames(mail.flags),
      keywords: mail.keywords.toSorted(),
      date: facts.get(mail.uid)?.received ?? 0,
      recent: mail.uid >= status.firstRecentUid,
      ...(hash === undefined ? {} : { body: hash(await bytesOf(opened, mail.uid, mail.guid)) }),
    });
  }
  const attributes = (await opened.attributes()).flatMap(({ scope, key, value }) =>
    value === null ? [] : [[`/${scope}/${key}`, value] as const],
  );
  return {
    guid: status.guid,
    uidvalidity: status.uidValidity,
    uidnext: status.uidNext,
    messages,
    attributes: sortKeys(Object.fromEntries(attributes)),
  };
}

async function bytesOf(mailbox: Mailbox, uid: Uid, guid: MailGuid): Promise<Uint8Array> {
  const content = await mailbox.read(uid, guid);
  if (content === null) throw new Error(`mail ${uid} is listed but cannot be read`);
  await using opened = content;
  if (opened.body instanceof Uint8Array) return opened.body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function sortKeys<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
