/** The bytes of mails as they lie in a Maildir, whoever wrote them there. */
import { chown, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import type { Dovecot } from './dovecot.ts';
import { sha256 } from './judge.ts';

/** SHA-256 of every mail's file, by folder and UID. */
export const rawMails = async (maildir: string): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>();
  const entries = await readdir(maildir, { recursive: true, withFileTypes: true });
  for (const list of entries.filter(({ name }) => name === 'dovecot-uidlist')) {
    const folder = list.parentPath;
    const files = new Map<string, string>();
    for (const place of ['new', 'cur']) {
      for (const name of await readdir(join(folder, place)))
        files.set(name.replace(/:.*/, ''), join(folder, place, name));
    }
    for (const line of (await readFile(join(folder, list.name), 'utf8')).split('\n').slice(1)) {
      const file = files.get(line.slice(line.indexOf(' :') + 2).replace(/:.*/, ''));
      if (file !== undefined)
        found.set(`${relative(maildir, folder)} ${parseInt(line, 10)}`, sha256(await readFile(file)));
    }
  }
  return found;
};

/** Puts mails into a user's INBOX as a delivery agent would that knows nothing of Dovecot: their GUIDs are file names. */
export const deliverMails = async (
  dovecot: Dovecot,
  maildir: string,
  mails: readonly Buffer[],
  host = 'a-rather-long-name-of-some-host.example.org',
): Promise<void> => {
  for (const folder of [maildir, ...['cur', 'new', 'tmp'].map((name) => join(maildir, name))]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chown(folder, dovecot.mailUid, dovecot.mailGid);
  }
  for (const [index, bytes] of mails.entries()) {
    const received = 1_500_000_000 + index * 1009;
    const base = `${received}.M${index}P77.${host}`;
    const file = index % 3 === 0 ? join(maildir, 'cur', `${base}:2,FS`) : join(maildir, 'new', base);
    await writeFile(file, bytes, { mode: 0o600 });
    await utimes(file, received, received);
    await chown(file, dovecot.mailUid, dovecot.mailGid);
  }
};
