/** A whole account as a real Dovecot reads it, by IMAP and by doveadm. */
import { createHash } from 'node:crypto';

import type { Dovecot } from './dovecot.ts';
import { ImapClient, type ImapResponse } from './imap.ts';
import { quoteName, readName } from './mailbox-names.ts';

/** A mail as IMAP tells it. */
export interface JudgedMail {
  readonly uid: number;
  readonly guid: string;
  /** System flags and keywords, sorted, without `\Recent`. */
  readonly flags: readonly string[];
  readonly received: string;
  readonly size: number;
  /** SHA-256 of the mail as IMAP gives it (CRLF line ends). */
  readonly sha256: string;
}

/** A mailbox with all its mails, in UID order. */
export interface JudgedMailbox {
  readonly guid: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly mails: readonly JudgedMail[];
}

/** Everything of an account that two equal ends have in common. */
export interface JudgedAccount {
  readonly mailboxes: Readonly<Record<string, JudgedMailbox>>;
  readonly subscriptions: readonly string[];
  /** What doveadm says of the same: one line per mailbox (name, GUID, UIDVALIDITY, UIDNEXT, mails) and per mail. */
  readonly doveadm: { readonly mailboxes: readonly string[]; readonly mails: readonly string[] };
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const pick = (text: string, pattern: RegExp): string => {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${String(pattern)} in ${text}`);
  return found;
};

const readMail = ({ line, literals: [body] }: ImapResponse): JudgedMail => ({
  uid: Number(pick(line, /UID (\d+)/)),
  guid: pick(line, /X-GUID ([^ )]+)/),
  flags: pick(line, /FLAGS \(([^)]*)\)/)
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort(byText),
  received: pick(line, /INTERNALDATE "([^"]+)"/),
  size: Number(pick(line, /RFC822\.SIZE (\d+)/)),
  sha256: sha256(body ?? Buffer.alloc(0)),
});

/** In hexadecimal. */
export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The last word of a LIST or LSUB response. */
const nameOf = (response: ImapResponse): string => {
  const literal = response.literals[0];
  if (literal !== undefined) return readName(literal.toString('latin1'));
  return readName(pick(response.line, /^\* (?:LIST|LSUB) \([^)]*\) (?:"[^"]*"|NIL) (.*)$/));
};

const readMailbox = async (imap: ImapClient, name: string): Promise<JudgedMailbox> => {
  const opened = await imap.command(`EXAMINE ${quoteName(name)}`);
  const lines = opened.map(({ line }) => line).join('\n');
  const fetched = await imap.command('UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE X-GUID BODY.PEEK[])');
  const status = await imap.command(`STATUS ${quoteName(name)} (X-GUID)`);
  return {
    guid: pick(status.map(({ line }) => line).join('\n'), /\(X-GUID ([0-9a-f]{32})\)/),
    uidValidity: Number(pick(lines, /UIDVALIDITY (\d+)/)),
    uidNext: Number(pick(lines, /UIDNEXT (\d+)/)),
    mails: fetched.filter(({ line }) => / FETCH \(/.test(line)).map(readMail),
  };
};

/** Mailboxes that can be opened, in name order. */
const listMailboxes = async (imap: ImapClient): Promise<string[]> => {
  const responses = await imap.command('LIST "" "*"');
  return responses
    .filter(({ line }) => !/\\NoSelect|\\NonExistent/i.test(line))
    .map(nameOf)
    .sort(byText);
};

const doveadmLines = async (dovecot: Dovecot, args: readonly string[]): Promise<string[]> => {
  const outcome = await dovecot.doveadm(['-f', 'tab', ...args]);
  if (outcome.code !== 0) throw new Error(`doveadm ${args.join(' ')}: ${outcome.stderr}`);
  // \Recent tells which session saw a mail first, and belongs to no account.
  const text = outcome.stdout.toString('utf8').replace(/(?<=\t)\\Recent ?| \\Recent/g, '');
  return text.trimEnd().split('\n').slice(1).sort(byText);
};

/** A line of `mails` with its flags sorted: their order tells which keyword an account met first. */
const sortFlags = (line: string): string => {
  const fields = line.split('\t');
  return fields.map((field, index) => (index === 3 ? field.split(' ').sort(byText).join(' ') : field)).join('\t');
};

/** What IMAP tells of an account. */
export const readAccount = async (
  dovecot: Dovecot,
  user: string,
): Promise<Pick<JudgedAccount, 'mailboxes' | 'subscriptions'>> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  const mailboxes: Record<string, JudgedMailbox> = {};
  for (const name of await listMailboxes(imap)) mailboxes[name] = await readMailbox(imap, name);
  const subscriptions = (await imap.command('LSUB "" "*"')).map(nameOf).sort(byText);
  return { mailboxes, subscriptions };
};

/** Reads all of it, by both ways. */
export const judgeAccount = async (dovecot: Dovecot, user: string): Promise<JudgedAccount> => {
  return {
    ...(await readAccount(dovecot, user)),
    doveadm: {
      mailboxes: await doveadmLines(dovecot, [
        'mailbox',
        'status',
        '-u',
        user,
        'guid uidvalidity uidnext messages',
        '*',
      ]),
      mails: (
        await doveadmLines(dovecot, ['fetch', '-u', user, 'mailbox uid guid flags date.received size.virtual', 'ALL'])
      ).map(sortFlags),
    },
  };
};
