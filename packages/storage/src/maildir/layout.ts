/**
 * Where a mailbox lies, told from its name, and back. Pure: a name is data, and a path that this file makes can never
 * leave the store.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import type { MailboxPath } from '@dsync/protocol';

import { hasControls, replaceControls } from '../control-characters.ts';
import { StoreError } from '../errors.ts';
import { hashedName, isInbox } from '../paths.ts';
import { decodeMutf7, encodeMutf7 } from './mutf7.ts';

/** Maildir++: `.A.B` in the root, whatever the depth. fs: `A/B`, directories in directories (Dovecot's `LAYOUT=fs`). */
export type LayoutName = 'maildir++' | 'fs';

/** Directories of one mailbox. */
export interface Places {
  /** Holds cur/, new/ and tmp/. */
  readonly mail: string;
  /** Holds dovecot-uidlist and dovecot-keywords. */
  readonly control: string;
  /** Holds dovecot.index* and the lock of synchronisers. */
  readonly index: string;
}

/** Names whose hashes are kept: reading a tree asks for each several times. */
const MAX_HASHES = 10_000;

/** Directories of a store, absolute paths. */
export interface Roots {
  readonly mail: string;
  readonly control: string;
  readonly index: string;
  readonly inbox: string;
}

/** Directory names that Dovecot gives to mailboxes while it deletes them. */
export const TRASH = { 'maildir++': '..DOVECOT-TRASHED', fs: '..DOVECOT-TrasH' } as const;

/** Our journal's file in the index root. */
export const JOURNAL_FILE = 'dsync-journal';

/** What else lies beside mailboxes in one of the roots. */
const RESERVED =
  /^(?:cur|new|tmp|subscriptions(?:\.lock)?|maildirfolder|maildirsize|dovecot[.-].*|dsync-journal.*|\.dovecot-(?:box-)?sync\.lock|\.\.DOVECOT-TrasH.*)$/;
const MAX_NAME = 255;
const MAX_DEPTH = 64;

/** The names of one store and their places. */
export class Layout {
  readonly name: LayoutName;
  /** Visible. */
  readonly separator: string;
  readonly roots: Roots;
  readonly #hashes = new Map<string, string>();

  constructor(name: LayoutName, separator: string, roots: Roots) {
    this.name = name;
    this.separator = separator;
    this.roots = roots;
  }

  get storageSeparator(): '.' | '/' {
    return this.name === 'fs' ? '/' : '.';
  }

  /** Whether a name can exist without being a mailbox. */
  get keepsDirectories(): boolean {
    return this.name === 'fs';
  }

  /** @throws {StoreError} `InvalidName` */
  places(path: MailboxPath): Places {
    this.check(path);
    const { mail, control, index, inbox } = this.roots;
    const relative = this.#relative(path);
    const main = isInbox(path) ? inbox : join(mail, relative);
    return {
      mail: main,
      control: control === mail ? main : join(control, relative),
      index: index === mail ? main : join(index, relative),
    };
  }

  /** The name of a directory in the mail root (Maildir++) or at a relative path (fs); null: no mailbox of anybody's. */
  parse(relative: string): MailboxPath | null {
    if (this.name === 'maildir++' && !relative.startsWith('.')) return null;
    const parts = (this.name === 'fs' ? relative.split('/') : relative.slice(1).split('.')).map(decodeMutf7);
    return parts.every((part) => part !== null) && this.#refusal(parts) === null ? parts : null;
  }

  /** @throws {StoreError} `InvalidName` */
  check(path: MailboxPath): void {
    const refusal = this.#refusal(path);
    if (refusal === null) return;
    throw new StoreError(
      'InvalidName',
      `invalid mailbox name ${JSON.stringify(path.join(this.separator).slice(0, 200))}: ${refusal}`,
    );
  }

  /** Whether a mailbox can be called so. */
  allows(path: MailboxPath): boolean {
    return this.#refusal(path) === null;
  }

  /**
   * The name itself if this store can have it; else with `altChar` for control characters and separators and `_` before a
   * part that is still refused; else a hash of it. The same name gets the same repair every time.
   */
  legal(path: MailboxPath, altChar: string): MailboxPath {
    if (path.length === 1 && path[0]?.toUpperCase() === 'INBOX') return ['INBOX'];
    if (this.#refusal(path) === null) return path;
    const alt = this.#usable(altChar) ? altChar : '_';
    const parts = path.map((part, depth) => this.#repairedPart(part, depth, alt));
    if (this.#refusal(parts) === null) return parts;
    return [hashedName(path)];
  }

  print(path: MailboxPath): string {
    return path.join(this.separator);
  }

  /** The hash by which change logs name mailboxes: first 16 bytes of SHA-1 of the visible name. */
  hash(path: MailboxPath): string {
    const name = this.print(path);
    const known = this.#hashes.get(name);
    if (known !== undefined) return known;
    const hash = createHash('sha1').update(name).digest('hex').slice(0, 32);
    if (this.#hashes.size < MAX_HASHES) this.#hashes.set(name, hash);
    return hash;
  }

  #usable(altChar: string): boolean {
    return Array.from(altChar).length === 1 && this.#refusalOfPart(`x${altChar}`, 1) === null;
  }

  #repairedPart(part: string, depth: number, alt: string): string {
    let text = part.replace(/\p{Surrogate}/gu, '\ufffd');
    text = replaceControls(text, alt).replaceAll('/', alt);
    text = text.replaceAll(this.separator, alt).replaceAll(this.storageSeparator, alt);
    if (text === '') text = alt;
    if (this.#refusalOfPart(text, depth) !== null) text = `_${text}`;
    return text;
  }

  #refusal(path: MailboxPath): string | null {
    if (path.length === 0) return 'it is empty';
    if (path.length > MAX_DEPTH) return `more than ${MAX_DEPTH} levels`;
    for (const [depth, part] of path.entries()) {
      const refusal = this.#refusalOfPart(part, depth);
      if (refusal !== null) return refusal;
    }
    if (path.length === 1 && path[0] !== 'INBOX' && path[0]?.toUpperCase() === 'INBOX')
      return 'only INBOX itself can be called so';
    const relative = this.#relative(path);
    if (relative.length > (this.name === 'fs' ? 2000 : MAX_NAME)) return 'it is too long';
    if (this.name === 'maildir++' && RESERVED.test(relative)) return 'the name is in use for something else';
    return null;
  }

  #refusalOfPart(part: string, depth: number): string | null {
    if (part === '') return 'a part is empty';
    if (hasControls(part)) return 'it has control characters';
    if (/\p{Surrogate}/u.test(part)) return 'it is not valid Unicode';
    if (part.includes('/') || part.includes(this.separator) || part.includes(this.storageSeparator))
      return 'a part has a separator in it';
    if (part === '.' || part === '..') return 'a part is . or ..';
    if (depth === 0 && part.startsWith('~')) return 'it starts with ~';
    if (this.name === 'fs' && RESERVED.test(part)) return 'a part is in use for something else';
    return encodeMutf7(part).length > MAX_NAME ? 'a part is too long' : null;
  }

  #relative(path: MailboxPath): string {
    const parts = path.map(encodeMutf7);
    return this.name === 'fs' ? parts.join('/') : `.${parts.join('.')}`;
  }
}
