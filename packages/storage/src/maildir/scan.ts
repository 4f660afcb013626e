/** Finds every mailbox of a store on the disk, without opening any. */
import fs from 'node:fs';
import { join } from 'node:path';

import type { MailboxPath } from '@dsync/protocol';

import { isErrno, StoreError } from '../errors.ts';
import { isInbox } from '../paths.ts';
import type { Layout } from './layout.ts';

/** The names that lie on the disk, in no order. */
export interface Scan {
  /** Directories with a cur/ in them, INBOX included if it is there. */
  readonly mailboxes: readonly MailboxPath[];
  /** Other directories that are names, if the layout keeps such. */
  readonly directories: readonly MailboxPath[];
}

/** Deeper than any name may be: a loop of mounts, or an attack. */
const MAX_DEPTH = 64;

/** @throws {StoreError} if a directory cannot be listed: then nothing is known about what exists */
export function scan(layout: Layout, warn: (message: string) => void): Scan {
  const mailboxes: MailboxPath[] = hasCur(layout.roots.inbox) ? [['INBOX']] : [];
  const directories: MailboxPath[] = [];
  const visit = (relative: string, depth: number): void => {
    for (const entry of readDirectory(join(layout.roots.mail, relative))) {
      if (!entry.isDirectory()) continue;
      const at = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const path = layout.parse(at);
      if (path === null) {
        if (isForeignName(layout, entry.name))
          warn(`directory ${join(layout.roots.mail, at)} is left alone: its name is no mailbox's`);
        continue;
      }
      const directory = join(layout.roots.mail, at);
      // The root has INBOX's mail already.
      if (hasCur(directory) && !isInbox(path)) mailboxes.push(path);
      else if (layout.keepsDirectories && !isInbox(path)) directories.push(path);
      if (layout.name === 'fs' && depth < MAX_DEPTH) visit(at, depth + 1);
    }
  };
  visit('', 0);
  return { mailboxes, directories };
}

function isForeignName(layout: Layout, name: string): boolean {
  if (/^(?:cur|new|tmp)$/.test(name) || name.startsWith('..DOVECOT-')) return false;
  return layout.name === 'fs' || name.startsWith('.');
}

function readDirectory(directory: string): fs.Dirent[] {
  try {
    return fs.readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    throw StoreError.from(cause, `cannot list mail directory ${directory}`);
  }
}

/** @throws {StoreError} if that cannot be told */
export function hasCur(directory: string): boolean {
  try {
    return fs.statSync(join(directory, 'cur')).isDirectory();
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return false;
    throw StoreError.from(cause, `cannot look at mail folder ${directory}`);
  }
}
