/**
 * A user of a real Dovecot, and its administrator. What a Dovecot lets nobody choose, such as a mail's GUID, is put into the
 * Maildir as another program would, and the Dovecot takes a look; everything else is done by its own doveadm.
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { type MailboxPath, type MailGuid, type Uid, uid as checkedUid } from '@dsync/protocol';
import type { Delivery, InitialMailbox } from '@dsync/storage';
import { MaildirFolder, type MailUser } from '@dsync/storage/test-kit';

import { flagNames } from '../../support/mails.ts';
import { chownTree } from '../rig/chown-tree.ts';
import { DoveadmCommands } from '../rig/doveadm-commands.ts';

/** Whose account it is, and how it is reached. */
export interface DovecotUserOptions {
  readonly user: string;
  /** As this process reaches it. */
  readonly home: string;
  /** Owner of the mail. */
  readonly mailUid: number;
  readonly doveadmPort: number;
  readonly separator: string;
  readonly layout: 'fs' | 'maildir++';
  /** Prefixes of the namespaces and their Maildirs below the home; the first one has INBOX. */
  readonly namespaces: readonly { readonly prefix: string; readonly folder: string }[];
}

/** Does with doveadm what a user of our stores does with them. */
export class DovecotUser implements MailUser, AsyncDisposable {
  readonly commands: DoveadmCommands;
  readonly #options: DovecotUserOptions;

  constructor(options: DovecotUserOptions) {
    this.#options = options;
    this.commands = new DoveadmCommands(options.doveadmPort, options.user);
  }

  async place(path: MailboxPath, { guid, uidValidity, uidNext, mails }: InitialMailbox): Promise<void> {
    const folder = this.#folder(path);
    folder.make({ guid, uidValidity, uidNext: uidNext ?? 1 });
    for (const mail of mails) await folder.add(mail, mail.uid);
    await this.#look();
  }

  async placeSubscription(path: MailboxPath): Promise<void> {
    await this.subscribe(path);
    // Nobody has ever subscribed: the log of such acts must not know of it.
    for (const { folder } of this.#options.namespaces)
      fs.rmSync(join(this.#options.home, folder, 'dovecot.mailbox.log'), { force: true });
  }

  async append(path: MailboxPath, mail: Delivery): Promise<Uid> {
    const uid = await this.#folder(path).add(mail);
    await this.#look();
    return uid;
  }

  async expunge(path: MailboxPath, uid: number): Promise<void> {
    await this.commands.run('expunge', ...this.#mail(path, uid));
  }

  async changeFlags(
    path: MailboxPath,
    uid: number,
    how: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
  ): Promise<void> {
    await this.commands.run(`flags ${how}`, [...flagNames(flags), ...keywords].join(' '), ...this.#mail(path, uid));
  }

  async move(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    return await this.#give('move', path, uid, to);
  }

  async copy(path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    return await this.#give('copy', path, uid, to);
  }

  async createMailbox(path: MailboxPath, as: Parameters<MailUser['createMailbox']>[1]): Promise<void> {
    await this.commands.run('mailbox create', '-g', as.guid, this.#name(path));
    await this.commands.run('mailbox update', '--uid-validity', String(as.uidValidity), this.#name(path));
  }

  async createDirectory(path: MailboxPath): Promise<void> {
    await this.commands.run('mailbox create', `${this.#name(path)}${this.#options.separator}`);
  }

  async delete(path: MailboxPath): Promise<void> {
    await this.commands.run('mailbox delete', this.#name(path));
  }

  async rename(from: MailboxPath, to: MailboxPath): Promise<void> {
    await this.commands.run('mailbox rename', this.#name(from), this.#name(to));
  }

  async subscribe(path: MailboxPath): Promise<void> {
    await this.commands.run('mailbox subscribe', this.#name(path));
  }

  async unsubscribe(path: MailboxPath): Promise<void> {
    await this.commands.run('mailbox unsubscribe', this.#name(path));
  }

  async update(path: MailboxPath, numbers: Parameters<MailUser['update']>[1]): Promise<void> {
    const { guid, uidValidity, uidNext, highestModseq } = numbers;
    const given = [
      ['--mailbox-guid', guid],
      ['--uid-validity', uidValidity],
      ['--min-next-uid', uidNext],
      ['--min-highest-modseq', highestModseq],
    ].flatMap(([option, value]) => (value === undefined ? [] : [String(option), String(value)]));
    await this.commands.run('mailbox update', ...given, this.#name(path));
  }

  async setAttribute(path: MailboxPath, key: string, value: string | null): Promise<void> {
    const server = path.length === 0 ? ['-s'] : [];
    const [verb, ...values] = value === null ? ['unset'] : ['set', value];
    await this.commands.run(`mailbox metadata ${verb}`, ...server, this.#name(path), key, ...values);
  }

  async select(path: MailboxPath): Promise<void> {
    // A mail that is looked at read-write is recent no more.
    await this.commands.run('fetch', 'flags', 'mailbox', this.#name(path), 'ALL');
  }

  async loseHistory(path: MailboxPath): Promise<void> {
    await this.commands.forget();
    const folder = this.#folderOf(path);
    for (const name of fs.readdirSync(folder))
      if (/^dovecot\.index(?!\.cache)/.test(name)) fs.rmSync(join(folder, name));
    await this.#look();
  }

  async replaceMail(path: MailboxPath, uid: number, guid: MailGuid, body: Uint8Array): Promise<void> {
    await this.#folder(path).replace(uid, guid, body);
    this.#own();
  }

  async snapshot(): Promise<void> {
    fs.cpSync(this.#options.home, this.#saved, { recursive: true, preserveTimestamps: true });
  }

  async restore(): Promise<void> {
    await this.commands.forget();
    fs.rmSync(this.#options.home, { recursive: true });
    fs.cpSync(this.#saved, this.#options.home, { recursive: true, preserveTimestamps: true });
    this.#own();
  }

  /** Makes everything that has been done so far seem to have been done by then: logs know nothing smaller than a second. */
  setBack(time: number): void {
    for (const { folder } of this.#options.namespaces) {
      for (const file of ['dovecot.mailbox.log', 'dovecot.mailbox.log.2']) {
        const path = join(this.#options.home, folder, file);
        if (fs.existsSync(path)) fs.writeFileSync(path, notAfter(fs.readFileSync(path), time));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.commands.forget();
    fs.rmSync(this.#saved, { recursive: true, force: true });
  }

  get #saved(): string {
    return `${this.#options.home}.snapshot`;
  }

  #name(path: MailboxPath): string {
    return path.join(this.#options.separator);
  }

  #mail(path: MailboxPath, uid: number): string[] {
    return ['mailbox', this.#name(path), 'uid', String(uid)];
  }

  async #give(command: 'move' | 'copy', path: MailboxPath, uid: number, to: MailboxPath): Promise<Uid> {
    await this.commands.run(command, this.#name(to), ...this.#mail(path, uid));
    const uids = await this.commands.run('fetch', 'uid', 'mailbox', this.#name(to), 'ALL');
    return checkedUid(Number(uids.at(-1)));
  }

  #folder(path: MailboxPath): MaildirFolder {
    return new MaildirFolder(this.#folderOf(path));
  }

  /** The longest prefix that a name begins with is its namespace's. */
  #folderOf(path: MailboxPath): string {
    const { home, namespaces, separator, layout } = this.#options;
    const name = this.#name(path);
    const fits = namespaces
      .filter(({ prefix }) => name !== 'INBOX' && name.startsWith(prefix))
      .toSorted((a, b) => b.prefix.length - a.prefix.length);
    const { prefix, folder } = fits[0] ?? namespaces[0] ?? { prefix: '', folder: 'Maildir' };
    const root = join(home, folder);
    if (name === 'INBOX') return root;
    const parts = name.slice(prefix.length).split(separator);
    return layout === 'fs' ? join(root, ...parts) : join(root, `.${parts.join('.')}`);
  }

  /** Whoever works on files here is not the owner of the mail. */
  #own(): void {
    chownTree(this.#options.home, this.#options.mailUid);
  }

  /** Dovecot finds what others did to the files, as it would before any other work. */
  async #look(): Promise<void> {
    this.#own();
    await this.commands.run('mailbox status', 'messages', '*');
  }
}

const RECORD = 24;
const TIME = 20;

function notAfter(log: Buffer, time: number): Buffer {
  for (let at = TIME; at + 4 <= log.length; at += RECORD) if (log.readUInt32BE(at) > time) log.writeUInt32BE(time, at);
  return log;
}
