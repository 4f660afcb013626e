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
  /** Links that lead to no folder, or to one without cur/: what they led to may be on a disk that is not mounted. */
  readonly dangling: readonly MailboxPath[];
  /** Of Maildir++: directories in which nothing lies, as in one that a disk is mounted on when it is not. */
  readonly empty: readonly MailboxPath[];
}

/** Deeper than any name may be: a loop of mounts, or an attack. */
const MAX_DEPTH = 64;

/** @throws {StoreError} if a directory cannot be listed: then nothing is known about what exists */
export function scan(layout: Layout, warn: (message: string) => void): Scan {
  return new Scanner(layout, warn).result();
}

interface Found {
  readonly at: string;
  readonly path: MailboxPath;
  readonly depth: number;
}

class Scanner {
  readonly #layout: Layout;
  readonly #warn: (message: string) => void;
  readonly #mailboxes: MailboxPath[];
  readonly #directories: MailboxPath[] = [];
  readonly #dangling: MailboxPath[] = [];
  readonly #empty: MailboxPath[] = [];
  readonly #links: Found[] = [];
  /** Every directory that was found, for links that lead to one of them. */
  readonly #seen: string[];

  constructor(layout: Layout, warn: (message: string) => void) {
    this.#layout = layout;
    this.#warn = warn;
    this.#mailboxes = hasCur(layout.roots.inbox) ? [['INBOX']] : [];
    this.#seen = [layout.roots.mail, layout.roots.inbox];
  }

  result(): Scan {
    this.#visit('', 0);
    this.#follow();
    return { mailboxes: this.#mailboxes, directories: this.#directories, dangling: this.#dangling, empty: this.#empty };
  }

  #visit(relative: string, depth: number): void {
    const { roots } = this.#layout;
    for (const entry of readDirectory(join(roots.mail, relative))) {
      const isLink = entry.isSymbolicLink();
      if (!isLink && !entry.isDirectory()) continue;
      const at = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const path = this.#layout.parse(at);
      if (path === null) {
        if (!isLink && isForeignName(this.#layout, entry.name))
          this.#warn(`directory ${join(roots.mail, at)} is left alone: its name is no mailbox's`);
      } else if (isLink) this.#links.push({ at, path, depth });
      else this.#take({ at, path, depth });
    }
  }

  #take({ at, path, depth }: Found): void {
    const { name, keepsDirectories, roots } = this.#layout;
    const directory = join(roots.mail, at);
    this.#seen.push(directory);
    // The root has INBOX's mail already.
    if (hasCur(directory) && !isInbox(path)) this.#mailboxes.push(path);
    else if (keepsDirectories && !isInbox(path)) this.#directories.push(path);
    // In the layout fs a mailbox that is deleted can leave one.
    else if (!keepsDirectories && readDirectory(directory).length === 0) this.#empty.push(path);
    if (name === 'fs' && depth < MAX_DEPTH) this.#visit(at, depth + 1);
  }

  /** A link is the mailbox that it leads to, as for Dovecot, unless that has another name already or is another user's. */
  #follow(): void {
    if (this.#links.length === 0) return;
    const { roots, keepsDirectories } = this.#layout;
    const owner = stat(roots.mail)?.uid;
    const places = new Set<string>();
    for (let link = this.#links.shift(); link !== undefined; link = this.#links.shift()) {
      for (const directory of this.#seen.splice(0)) places.add(placeOf(stat(directory)));
      const name = join(roots.mail, link.at);
      const target = stat(name);
      if (target?.isDirectory() !== true || (!keepsDirectories && !hasCur(name))) this.#dangling.push(link.path);
      else if (target.uid !== owner) this.#warn(`link ${name} is left alone: it leads to another user's folder`);
      else if (places.has(placeOf(target)))
        this.#warn(`link ${name} is left alone: it leads to a folder that is synchronised under another name`);
      else this.#take(link);
    }
  }
}

/** undefined if there is nothing, or nothing that may be looked at. */
function stat(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function placeOf(found: fs.Stats | undefined): string {
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
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
