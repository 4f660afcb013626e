/**
 * One Maildir on disk: its listing, its side files, and the metadata by which an unchanged one is known. Calls are
 * synchronous where that is faster: a stat takes 4 µs, a round trip through Node's thread pool 50.
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';
import {
  attempt,
  makeDirectories,
  nameOf,
  ownershipOf,
  replaceFile,
  readText,
  writeAll,
  writeFile,
  type Ownership,
} from './files.ts';
import { parseBase, parseFileName, type FileName } from './file-name.ts';
import { parseKeywords, printKeywords, type KeywordLetters } from './keywords-file.ts';
import type { Places } from './layout.ts';
import { parseUntold, printUntold, type UntoldKeywords } from './untold-keywords.ts';
import { parseUidlist, parseUidlistHeader, type Uidlist, type UidlistHeader } from './uidlist.ts';

/** A mail file that lies in cur/ or new/. */
export interface FoundMail extends FileName {
  /** `cur/<name>` or `new/<name>`. */
  readonly at: string;
}

/** What a folder looked like from outside; equal texts, equal contents. */
export interface Stamp {
  /** Of cur/ and new/. */
  readonly listing: string;
  /** Of cur/, new/, uidlist and keywords. */
  readonly contents: string;
  /** The same and tmp/, where a killed process of ours may have left something. */
  readonly text: string;
  /** mtime of the younger of cur/ and new/, milliseconds with fraction. */
  readonly changedMs: number;
}

/**
 * Clocks of file systems tick; two changes within one tick leave the same time. A listing younger than this margin
 * might have missed a second change.
 */
const TICK_MS = 50;
/** Of file systems that store whole seconds, or even pairs of them. */
const COARSE_TICK_MS = 2000;

const NOTHING_UNTOLD: UntoldKeywords = new Map();

/** Reads and writes one Maildir's files; remembers nothing of them but whose they are. */
export class Folder {
  readonly places: Places;
  readonly uidlistFile: string;
  readonly keywordsFile: string;
  /** See untold-keywords.ts. */
  readonly untoldFile: string;
  /** The uidlist before a commit that is under way, to be put back if that fails. */
  readonly formerUidlistFile: string;
  #owner: Ownership | null = null;

  constructor(places: Places) {
    this.places = places;
    this.uidlistFile = join(places.control, 'dovecot-uidlist');
    this.formerUidlistFile = `${this.uidlistFile}.dsync`;
    this.keywordsFile = join(places.control, 'dovecot-keywords');
    this.untoldFile = `${this.keywordsFile}.dsync`;
  }

  /** Of the listings of cur/ and new/, roughly: what reading them costs. 0 where that cannot be told. */
  directoryBytes(): number {
    let bytes = 0;
    for (const place of ['cur', 'new']) {
      attempt(() => (bytes += fs.statSync(join(this.places.mail, place), { throwIfNoEntry: false })?.size ?? 0));
    }
    return bytes;
  }

  /** @throws {StoreError} `NotFound` if there is no cur/; `Permission` */
  stamp(): Stamp {
    try {
      // Times in floating point: exact to a quarter of a microsecond, and half the work of whole nanoseconds.
      const cur = fs.statSync(this.path('cur'));
      const fresh = fs.statSync(this.path('new'), MAY_BE_MISSING);
      const temporary = fs.statSync(this.path('tmp'), MAY_BE_MISSING);
      const uidlist = fs.statSync(this.uidlistFile, MAY_BE_MISSING);
      const keywords = fs.statSync(this.keywordsFile, MAY_BE_MISSING);
      const listing = `${markOf(cur)} ${markOf(fresh)}`;
      const contents = `${listing} ${markOf(uidlist, true)} ${markOf(keywords, true)}`;
      return {
        listing,
        contents,
        text: `${contents} ${temporary?.mtimeMs ?? '-'}`,
        changedMs: Math.max(cur.mtimeMs, fresh?.mtimeMs ?? 0),
      };
    } catch (cause) {
      throw StoreError.from(cause, `cannot look at mail folder ${this.places.mail}`);
    }
  }

  /**
   * Every mail file by base name. A mail that is moved from new/ to cur/ meanwhile is found at least once; one that is
   * renamed inside cur/ may be missed.
   */
  list(): Map<string, FoundMail> {
    const found = new Map<string, FoundMail>();
    // cur/ last: of a mail in both (between link and unlink of another program) that one counts.
    for (const place of ['new', 'cur'] as const) {
      for (const name of this.#readdir(place)) {
        const parsed = parseFileName(name);
        if (parsed !== null) found.set(parsed.base, { ...parsed, at: `${place}/${name}` });
      }
    }
    return found;
  }

  /** Whether exactly these mail files lie here: places by base names. */
  holds(places: ReadonlyMap<string, string>): boolean {
    let count = 0;
    for (const place of ['new', 'cur'] as const) {
      for (const name of this.#readdir(place)) {
        const base = parseBase(name);
        if (base === null) continue;
        if (places.get(base) !== `${place}/${name}`) return false;
        count++;
      }
    }
    return count === places.size;
  }

  /** null if there is none. @throws {StoreError} `Corrupt`, `Permission` */
  readUidlist(): Uidlist | null {
    const text = readText(this.uidlistFile);
    return text === null || text === '' ? null : takenApart(parseUidlist, text, this.uidlistFile);
  }

  /** Whether its text matches; looking at it costs less than taking it apart. */
  uidlistHas(pattern: RegExp): boolean {
    return pattern.test(readText(this.uidlistFile) ?? '');
  }

  /** Of a possibly long file only the first line. */
  readUidlistHeader(): UidlistHeader | null {
    const text = readText(this.uidlistFile, 4096);
    return text === null || text === '' ? null : takenApart(parseUidlistHeader, text, this.uidlistFile);
  }

  readKeywords(): KeywordLetters {
    return takenApart(parseKeywords, readText(this.keywordsFile) ?? '', this.keywordsFile);
  }

  readUntoldKeywords(): UntoldKeywords {
    const text = readText(this.untoldFile);
    return text === null ? NOTHING_UNTOLD : parseUntold(text);
  }

  /** The caller makes it durable. @throws {StoreError} */
  writeUntoldKeywords(untold: UntoldKeywords, owner: Ownership): void {
    replaceFile(this.untoldFile, `${this.untoldFile}.tmp`, printUntold(untold), owner);
  }

  /** @param at a plain path below the folder: `join` would look at each of its characters again, for every mail */
  path(at: string): string {
    return `${this.places.mail}/${at}`;
  }

  /** @throws {StoreError} `NotFound`, `Permission` */
  ownership(): Ownership {
    return (this.#owner ??= ownershipOf(this.places.mail));
  }

  /** new/ and tmp/, which copying programs leave out when they are empty. Without cur/ it is no folder. @throws {StoreError} */
  makeMissing(owner: Ownership): void {
    for (const name of ['new', 'tmp']) {
      const directory = this.path(name);
      if (!fs.existsSync(directory) && fs.existsSync(this.path('cur'))) makeDirectories(directory, owner);
    }
  }

  /** Replaces the uidlist by a complete new one. The caller makes it durable. @throws {StoreError} */
  replaceUidlist(text: string, owner: Ownership): void {
    replaceFile(this.uidlistFile, `${this.uidlistFile}.tmp`, text, owner);
  }

  /** Writes `dovecot-uidlist.tmp`, for the caller to make durable and to rename. @throws {StoreError} */
  prepareUidlist(text: string, owner: Ownership): void {
    writeFile(`${this.uidlistFile}.tmp`, text, owner);
  }

  /**
   * Adds whole lines at the end of a file that ends with a whole line.
   * @throws {StoreError} (then the file is as before)
   */
  appendUidlist(text: string): void {
    let fd: number | null = null;
    let size = 0;
    try {
      fd = fs.openSync(this.uidlistFile, 'r+');
      size = fs.fstatSync(fd).size;
      writeAll(fd, Buffer.from(text), size);
    } catch (cause) {
      if (fd !== null) attempt(() => fs.ftruncateSync(fd ?? -1, size));
      throw StoreError.from(cause, `cannot write ${this.uidlistFile}`);
    } finally {
      if (fd !== null) fs.closeSync(fd);
    }
  }

  /** Dovecot reads the file again when its mtime differs in whole seconds, so that is pushed forward if need be. */
  replaceKeywords(letters: KeywordLetters, owner: Ownership): void {
    const before = fs.statSync(this.keywordsFile, { throwIfNoEntry: false });
    replaceFile(this.keywordsFile, `${this.keywordsFile}.lock`, printKeywords(letters), owner);
    if (before === undefined) return;
    const last = Math.floor(before.mtimeMs / 1000);
    if (Math.floor(Date.now() / 1000) > last) return;
    fs.utimesSync(this.keywordsFile, last + 1, last + 1);
  }

  /** Of files alone: a directory that got in there, by whatever accident, is no mail. */
  #readdir(place: 'cur' | 'new'): string[] {
    const directory = join(this.places.mail, place);
    try {
      // The links are its own name, its dot, and the dots of the directories in it, where the file system counts these.
      if (fs.statSync(directory).nlink === 2) return fs.readdirSync(directory);
      const entries = fs.readdirSync(directory, { withFileTypes: true });
      return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    } catch (cause) {
      if (place === 'new' && isErrno(cause, 'ENOENT')) return [];
      throw StoreError.from(cause, `cannot list mail folder ${join(this.places.mail, place)}`);
    }
  }
}

/** A name costs a system call and is in errors alone: for one of these the text is taken apart once more. */
function takenApart<T>(parse: (text: string, name: string) => T, text: string, file: string): T {
  try {
    return parse(text, file);
  } catch {
    return parse(text, nameOf(file));
  }
}

/** Whether a fingerprint, a stamp's whole text, was made of the same contents. */
export function isOf(fingerprint: string, { contents }: Stamp): boolean {
  return fingerprint.startsWith(`${contents} `);
}

/** Whether a listing made at `nowMs`, of the system's own clock since that marks the files, can have missed nothing that left the same stamp. */
export function isSettled(stamp: Stamp, nowMs: number): boolean {
  const hasFractions = stamp.changedMs % 1000 !== 0;
  return nowMs - stamp.changedMs > (hasFractions ? TICK_MS : COARSE_TICK_MS);
}

const MAY_BE_MISSING = { throwIfNoEntry: false } as const;

function markOf(stat: fs.Stats | undefined, withSize = false): string {
  if (stat === undefined) return '-';
  return withSize ? `${stat.ino}.${stat.mtimeMs}.${stat.size}` : `${stat.ino}.${stat.mtimeMs}`;
}
