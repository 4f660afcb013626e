/** An account with all the sample mail: nested folders, odd names, flags, keywords, dates and subscriptions. */
import { chown, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sharedFolder } from '../../support/places.ts';
import type { Dovecot } from './dovecot.ts';
import { ImapClient } from './imap.ts';
import { sha256 } from './judge.ts';
import { quoteName } from './mailbox-names.ts';

/** Where the sample folders go, in turn; some parents exist only as a part of the names below them. */
export const NAMES: readonly string[] = [
  'INBOX',
  'Archive/2024/Lists/apache',
  'Archive/2024/Lists',
  'Ärger/日本語/Прочее',
  'Ärger',
  '100% sure/50%',
  'R&D',
  'R&D/Q&A & more',
  'two words/ three  spaces',
  'x'.repeat(200),
  'Projects/a/b/c/d/e/f/g',
  'emoji 😀/👩‍👩‍👧',
  `quotes "and" 'such'`,
  'back~tilde/*star',
  'INBOX/below inbox',
  'Sent',
];

const SUBSCRIBED = ['INBOX', 'R&D/Q&A & more', 'Ärger/日本語/Прочее', 'x'.repeat(200), '100% sure/50%', 'Sent'];

/** Takes a UID before and after the samples, so that UIDs do not begin with 1 and UIDNEXT is not the last plus one. */
const SHORT_LIVED = Buffer.from('Subject: soon gone\r\n\r\n');

interface Sample {
  readonly folder: string;
  readonly bytes: Buffer;
}

const readSamples = async (): Promise<Sample[]> => {
  const root = join(sharedFolder, 'corpus');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'SOURCES.md');
  const samples: Sample[] = [];
  for (const file of files) {
    samples.push({ folder: file.parentPath, bytes: await readFile(join(file.parentPath, file.name)) });
  }
  return samples;
};

/** The folder of a mailbox with Dovecot's Maildir++ layout, as doveadm tells it. */
const folderOf = async (dovecot: Dovecot, user: string, name: string): Promise<string> => {
  const outcome = await dovecot.doveadm(['mailbox', 'path', '-u', user, name]);
  if (outcome.code !== 0) throw new Error(`no path of ${name}: ${outcome.stderr}`);
  const path = outcome.stdout.toString('utf8').trimEnd();
  // A Dovecot in a chroot sees other paths than this process.
  const home = `/home/${user}/`;
  return join(dovecot.home(user), path.slice(path.indexOf(home) + home.length));
};

/** Puts a file where a delivery agent would: every third one as seen by a client already. */
const deliver = async (dovecot: Dovecot, maildir: string, index: number, bytes: Buffer): Promise<void> => {
  const received = 1_000_000_000 + index * 400_009;
  const base = `${received}.M${index}P1.sample`;
  const path = index % 3 === 0 ? join(maildir, 'cur', `${base}:2,S`) : join(maildir, 'new', base);
  await writeFile(path, bytes, { mode: 0o600 });
  await utimes(path, received, received);
  await chown(path, dovecot.mailUid, dovecot.mailGid);
};

const createMailboxes = async (dovecot: Dovecot, user: string): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  for (const name of NAMES) if (name !== 'INBOX') await imap.command(`CREATE ${quoteName(name)}`);
  for (const name of NAMES) await imap.command(`APPEND ${quoteName(name)} (\\Deleted)`, SHORT_LIVED);
  for (const name of SUBSCRIBED) await imap.command(`SUBSCRIBE ${quoteName(name)}`);
};

const flagMails = async (dovecot: Dovecot, user: string): Promise<void> => {
  await using imap = await ImapClient.login(dovecot.imapPort, user);
  for (const [index, name] of NAMES.entries()) {
    await imap.command(`APPEND ${quoteName(name)} (\\Deleted)`, SHORT_LIVED);
    await imap.command(`SELECT ${quoteName(name)}`);
    await imap.command('EXPUNGE');
    await imap.command(`UID STORE 1:${10 + index} +FLAGS.SILENT (\\Seen $Forwarded)`);
    await imap.command(`UID STORE 3:7 +FLAGS.SILENT (\\Flagged \\Answered NonJunk keyword${index})`);
    await imap.command('UID STORE 5 +FLAGS.SILENT (\\Deleted \\Draft)');
  }
};

/** What an account was filled with. */
export interface Filled {
  /** SHA-256 of every sample as the file has it. */
  readonly files: readonly string[];
}

/** Fills a user's empty account; Dovecot gives the UIDs, GUIDs and flags. */
export const fillWithCorpus = async (dovecot: Dovecot, user: string): Promise<Filled> => {
  await createMailboxes(dovecot, user);
  const samples = await readSamples();
  const folders = [...new Set(samples.map(({ folder }) => folder))].sort();
  const paths = await Promise.all(NAMES.map((name) => folderOf(dovecot, user, name)));
  for (const path of paths) {
    for (const part of ['cur', 'new', 'tmp']) await mkdir(join(path, part), { recursive: true, mode: 0o700 });
  }
  for (const [index, { folder, bytes }] of samples.entries()) {
    await deliver(dovecot, paths[folders.indexOf(folder) % NAMES.length] ?? '', index, bytes);
  }
  await flagMails(dovecot, user);
  return { files: samples.map(({ bytes }) => sha256(bytes)) };
};

/** SHA-256 of every mail file below a Maildir. */
export const hashMailFiles = async (maildir: string): Promise<string[]> => {
  const entries = await readdir(maildir, { recursive: true, withFileTypes: true });
  const mails = entries.filter((entry) => entry.isFile() && /\/(cur|new)$/.test(entry.parentPath));
  const hashes: string[] = [];
  for (const entry of mails) hashes.push(sha256(await readFile(join(entry.parentPath, entry.name))));
  return hashes.sort();
};

/** What IMAP must give for a stored file: CRLF line ends; Dovecot shows a NUL as 0x80. */
export const asImapShows = (stored: Buffer): Buffer =>
  Buffer.from(stored.toString('latin1').replace(/\r?\n/g, '\r\n').replaceAll('\0', '\x80'), 'latin1');
