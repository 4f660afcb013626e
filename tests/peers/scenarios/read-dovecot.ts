/** An account as its Dovecot tells it, in the form in which our own stores are read. */
import { labelOf } from '../../support/mails.ts';
import type { MailboxSeen, MailSeen, SideSeen } from '../../support/read-side.ts';
import { type DoveadmCommands, DoveadmFailure } from '../rig/doveadm-commands.ts';

/** How names are written, and what is asked for. */
export interface ReadOptions {
  readonly separator: string;
  /** Metadata entries are asked for one by one, so only where a story is about them. */
  readonly attributes: boolean;
}

/** Reads the whole account. */
export async function readDovecot(commands: DoveadmCommands, options: ReadOptions): Promise<SideSeen> {
  const names = await commands.run('mailbox list');
  const mailboxes: Record<string, MailboxSeen> = {};
  for (const name of names) {
    // Before anybody opens the mailbox: who does so takes the \Recent state away. What is no mailbox has no status.
    const status = await commands.run('mailbox status', 'recent uidnext uidvalidity guid', name).catch(orNothing);
    if (status === null) continue;
    const [, recent, uidnext, uidvalidity, guid = ''] = status;
    mailboxes[name] = {
      guid,
      uidvalidity: Number(uidvalidity),
      uidnext: Number(uidnext),
      messages: await readMails(commands, name, Number(recent)),
      attributes: options.attributes ? await readAttributes(commands, name) : {},
    };
  }
  const directories = new Set(names.flatMap((name) => [name, ...parentsOf(name, options.separator)]));
  return {
    mailboxes,
    subscriptions: (await commands.run('mailbox list', '-s')).toSorted(),
    directories: [...directories].filter((name) => mailboxes[name] === undefined).toSorted(),
  };
}

async function readMails(commands: DoveadmCommands, mailbox: string, recent: number): Promise<MailSeen[]> {
  const fields = 'uid guid flags date.received.unixtime';
  const found = rows(await commands.run('fetch', fields, 'mailbox', mailbox, 'ALL'), 4);
  return found.map(([uid, guid = '', words = '', date], index) => {
    const marks = words.split(' ').filter((word) => word !== '' && word !== '\\Recent');
    return {
      uid: Number(uid),
      guid: labelOf(guid),
      flags: marks.filter((word) => word.startsWith('\\')).toSorted(),
      keywords: marks.filter((word) => !word.startsWith('\\')).toSorted(),
      date: Number(date),
      recent: index >= found.length - recent,
    };
  });
}

async function readAttributes(commands: DoveadmCommands, mailbox: string): Promise<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const scope of ['/private', '/shared']) {
    for (const key of await commands.run('mailbox metadata list', mailbox, scope)) {
      const [value] = await commands.run('mailbox metadata get', mailbox, `${scope}/${key}`);
      // Entries that nobody has set are listed without a value.
      if (value) attributes[`${scope}/${key}`] = value;
    }
  }
  return attributes;
}

function orNothing(error: unknown): null {
  if (error instanceof DoveadmFailure) return null;
  throw error;
}

function parentsOf(name: string, separator: string): string[] {
  const parts = name.split(separator);
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join(separator));
}

function rows(values: readonly string[], columns: number): string[][] {
  return Array.from({ length: values.length / columns }, (_row, at) => values.slice(at * columns, (at + 1) * columns));
}
