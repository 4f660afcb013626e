/** Maildirs as programs that know nothing else handle them, to set a scene and to look at what came of it. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

import { openMaildirStore } from '@dsync/storage';

import { readSide, type SideSeen } from '../support/read-side.ts';

/** A mail as it is delivered; the name decides about its bytes, so equal names are equal mails. */
export interface Letter {
  readonly box: string;
  readonly name: string;
  /** Letters behind `:2,`; absent: it lies in new/. */
  readonly flags?: string;
}

/** `box` is a folder's directory name, '' for INBOX. */
export function deliver(root: string, { box, name, flags }: Letter): void {
  const folder = join(root, box);
  for (const part of ['cur', 'new', 'tmp']) fs.mkdirSync(join(folder, part), { recursive: true });
  const at = flags === undefined ? `new/${name}` : `cur/${name}:2,${flags}`;
  fs.writeFileSync(join(folder, at), bodyOf(name));
}

/** Some are larger than what travels in one piece. */
function bodyOf(name: string): string {
  const digest = createHash('sha256').update(name).digest();
  const lines = digest.readUInt16LE(0) % 40;
  return `Subject: ${name}\n\n${`${digest.toString('base64')}\n`.repeat(digest[2] === 0 ? 4000 : lines)}`;
}

/** Every `n`th mail of a folder, from the `from`th, is removed. */
export function unlinkEvery(root: string, box: string, n: number, from: number): void {
  for (const at of everyNth(root, box, n, from)) fs.unlinkSync(join(root, box, at));
}

/** Every `n`th mail of a folder, from the `from`th, gets other flags. */
export function flagEvery(root: string, box: string, n: number, from: number, flags: string): void {
  for (const at of everyNth(root, box, n, from)) {
    const base = at.slice(4).split(':', 1)[0] ?? '';
    fs.renameSync(join(root, box, at), join(root, box, 'cur', `${base}:2,${flags}`));
  }
}

/** Names the letters `a`, `b`, … of keywords. */
export function setKeywords(root: string, box: string, names: readonly string[]): void {
  fs.writeFileSync(join(root, box, 'dovecot-keywords'), names.map((name, i) => `${i} ${name}\n`).join(''));
}

function everyNth(root: string, box: string, n: number, from: number): string[] {
  const all = ['new', 'cur'].flatMap((part) => fs.readdirSync(join(root, box, part)).map((name) => `${part}/${name}`));
  return all.toSorted((a, b) => (a.slice(4) < b.slice(4) ? -1 : 1)).filter((_, i) => i % n === from);
}

/** What may lie in a Maildir besides mail: nothing of it is younger than a run. */
const MAY_STAY = [
  /^(?:cur|new|tmp)$/,
  /^(?:cur|new)\/[^/]+$/,
  /^(?:dovecot-uidlist|dovecot-keywords|maildirfolder|subscriptions|dovecot-uidvalidity(?:\.[0-9a-f]{8})?)$/,
  /^(?:dsync-journal|dsync-journal-lock|dovecot\.mailbox\.log)$/,
];

/** Files that no run may leave behind. */
export function strays(root: string): string[] {
  return fs
    .readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => {
      const inBox = name.replace(/^\.[^/.][^/]*(?:\/|$)/, '');
      return inBox !== '' && !MAY_STAY.some((allowed) => allowed.test(inBox));
    })
    .toSorted();
}

/** The side as a store sees it, whole. */
export async function look(root: string): Promise<SideSeen> {
  await using store = await openMaildirStore({ root, journal: 'auto', fsync: 'off', home: join(root, '..') });
  const seen = await readSide(store, (body) => createHash('sha256').update(body).digest('base64url').slice(0, 16));
  return { ...seen, mailboxes: Object.fromEntries(Object.entries(seen.mailboxes).map(withoutRecent)) };
}

/** Whether a client was shown a mail is what each side's clients make of it. */
function withoutRecent([name, box]: [string, SideSeen['mailboxes'][string]]): [string, typeof box] {
  return [name, { ...box, messages: box.messages.map((mail) => ({ ...mail, recent: false })) }];
}

/** Which mails are where, with their flags; UIDs may differ from run to run. */
export function contents(seen: SideSeen): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(seen.mailboxes).map(([name, { messages }]) => [
      name,
      messages.map(({ body, flags, keywords }) => [body, ...flags, ...keywords].join(' ')).toSorted(),
    ]),
  );
}
