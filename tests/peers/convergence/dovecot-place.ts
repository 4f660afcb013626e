/** The account of a real Dovecot as one side of a random story: its users, what they can choose from, and how it is read. */
import { createHash } from 'node:crypto';

import { type MailboxPath, type Uid, uid } from '@dsync/protocol';
import type { Delivery } from '@dsync/storage';

import type { Shelf } from '../../convergence/story.ts';
import { flagNames } from '../../support/mails.ts';
import type { SideSeen } from '../../support/read-side.ts';
import type { DoveadmCommands } from '../rig/doveadm-commands.ts';
import { ImapClient } from '../rig/imap.ts';
import { DovecotUser, type DovecotUserOptions } from '../scenarios/dovecot-user.ts';
import { readDovecot } from '../scenarios/read-dovecot.ts';

/** A user whose mail arrives by IMAP, so that the Dovecot chooses its GUID and any format will do. */
export class ImapUser extends DovecotUser {
  readonly #port: number;
  readonly #name: string;

  constructor(imapPort: number, options: DovecotUserOptions) {
    super(options);
    this.#port = imapPort;
    this.#name = options.user;
  }

  override async append(path: MailboxPath, { flags = 0, keywords = [], received = 0, body }: Delivery): Promise<Uid> {
    await using imap = await ImapClient.login(this.#port, this.#name);
    const marks = [...flagNames(flags), ...keywords].join(' ');
    const name = path.join('/');
    await imap.command(`APPEND "${name}" (${marks}) "${imapDate(received)}"`, Buffer.from(body));
    const uids = await this.commands.run('fetch', 'uid', 'mailbox', name, 'ALL');
    return uid(Number(uids.at(-1)));
  }

  /** An administrator's new GUID for the INBOX that is there makes 2.3 tell another one than it has. */
  override async createMailbox(...[path, as]: Parameters<DovecotUser['createMailbox']>): Promise<void> {
    if (path.join('/') !== 'INBOX') await super.createMailbox(path, as);
  }

  /**
   * Not INBOX: its mails stay with the new name, and in the other side's INBOX, as with two Dovecots. A Maildir's mailbox
   * that is put below itself ends twice as deep, and as nobody’s rename.
   */
  override async rename(from: MailboxPath, to: MailboxPath): Promise<void> {
    if (from.join('/') === 'INBOX' || from.every((part, at) => part === to[at])) return;
    await super.rename(from, to);
  }
}

/** As in `14-Nov-2023 22:13:20 +0000`. */
function imapDate(seconds: number): string {
  const at = new Date(seconds * 1000);
  const month = at.toLocaleString('en', { month: 'short', timeZone: 'UTC' });
  const day = String(at.getUTCDate()).padStart(2, '0');
  return `${day}-${month}-${at.getUTCFullYear()} ${at.toISOString().slice(11, 19)} +0000`;
}

/** A mail is known by its subject: its GUID is its Dovecot's affair. */
export const subjectOf = (text: string): string => /^Subject: (.*?)\r?$/m.exec(text)?.[1] ?? '';

/** Line ends are the store's affair. */
export const digestOf = (text: string): string => {
  const bare = text.replaceAll('\r\n', '\n');
  return `${subjectOf(text)} ${createHash('sha256').update(bare).digest('base64url').slice(0, 12)}`;
};

const MAILS = 'uid text';

const mailsIn = async (
  commands: DoveadmCommands,
  box: string,
): Promise<readonly { readonly uid: number; readonly text: string }[]> => {
  const values = await commands.run('fetch', MAILS, 'mailbox', box, 'ALL');
  return Array.from({ length: values.length / 2 }, (_mail, at) => ({
    uid: Number(values[2 * at]),
    text: values[2 * at + 1] ?? '',
  }));
};

/** @param idOf what the story calls the mail with this subject */
export const dovecotShelf = (commands: DoveadmCommands, idOf: (subject: string) => string): Shelf => {
  const boxes: Shelf['boxes'] = async () => {
    const { mailboxes } = await readDovecot(commands, { separator: '/', attributes: false });
    return Object.entries(mailboxes).map(([name, { guid }]) => ({ path: name.split('/'), guid }));
  };
  return {
    boxes,
    mailsOf: async (guid) => {
      const box = (await boxes()).find((one) => one.guid === guid);
      if (box === undefined) return [];
      const mails = await mailsIn(commands, box.path.join('/'));
      return mails.map(({ uid: number, text }) => ({ uid: number, guid: idOf(subjectOf(text)) }));
    },
  };
};

/** Everything, with digests of the bytes. */
export const seeDovecot = async (commands: DoveadmCommands): Promise<SideSeen> => {
  const seen = await readDovecot(commands, { separator: '/', attributes: false });
  const mailboxes: Record<string, SideSeen['mailboxes'][string]> = {};
  for (const [name, box] of Object.entries(seen.mailboxes)) {
    const texts = new Map((await mailsIn(commands, name)).map((mail) => [mail.uid, mail.text]));
    const messages = box.messages.map((mail) => ({ ...mail, body: digestOf(texts.get(mail.uid) ?? '') }));
    mailboxes[name] = { ...box, messages };
  }
  return { ...seen, mailboxes };
};
