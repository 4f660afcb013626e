/** Small files and directories beside mails: made with the folder's owner and modes, replaced as a whole. */
import fs from 'node:fs';
import { dirname, resolve } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';

/** Owner and modes for new files and directories: those of the folder that they are made in. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly directoryMode: number;
  readonly fileMode: number;
}

/** @throws {StoreError} `NotFound`, `Permission` */
export function ownershipOf(directory: string): Ownership {
  try {
    const { uid, gid, mode } = fs.statSync(directory);
    return { uid, gid, directoryMode: mode & 0o2777, fileMode: mode & 0o666 };
  } catch (cause) {
    throw StoreError.from(cause, `cannot look at ${directory}`);
  }
}

/**
 * Gives a new file or directory the folder's owner and mode, where the process's own differ.
 * @returns whether it had them by itself, as then the next one in the same directory will
 */
export function adopt(target: string | number, owner: Ownership, kind: 'file' | 'directory'): boolean {
  const mode = kind === 'file' ? owner.fileMode : owner.directoryMode;
  const now = typeof target === 'number' ? fs.fstatSync(target) : fs.lstatSync(target);
  const hasMode = (now.mode & 0o7777) === mode;
  if (!hasMode) {
    if (typeof target === 'number') fs.fchmodSync(target, mode);
    else fs.chmodSync(target, mode);
  }
  if (now.uid === owner.uid && now.gid === owner.gid) return hasMode;
  // Without the right to give files away the mail is ours, as it would be if a mail client had written it.
  attempt(() => {
    if (typeof target === 'number') fs.fchownSync(target, owner.uid, owner.gid);
    else fs.chownSync(target, owner.uid, owner.gid);
  });
  return false;
}

/** Writes a whole file under another name and renames it. @throws {StoreError} (then the old one is as before) */
export function replaceFile(file: string, temporary: string, text: string, owner: Ownership): void {
  writeFile(temporary, text, owner);
  try {
    fs.renameSync(temporary, file);
  } catch (cause) {
    attempt(() => fs.rmSync(temporary, { force: true }));
    throw StoreError.from(cause, `cannot write ${file}`);
  }
}

/** @throws {StoreError} (then there is no such file) */
export function writeFile(file: string, text: string, owner: Ownership): void {
  try {
    const fd = openNew(file, owner.fileMode);
    try {
      writeAll(fd, Buffer.from(text), 0);
      adopt(fd, owner, 'file');
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    attempt(() => fs.rmSync(file, { force: true }));
    throw StoreError.from(cause, `cannot write ${file}`);
  }
}

/** A killed process may have left one under this name, which only the lock's holder uses; anything else there is not followed. */
function openNew(file: string, mode: number): number {
  try {
    return fs.openSync(file, 'wx', mode);
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw cause;
    fs.unlinkSync(file);
    return fs.openSync(file, 'wx', mode);
  }
}

/** Makes a directory and its missing parents, all owned like the nearest one that was there. @throws {StoreError} */
export function makeDirectories(directory: string, owner: Ownership): void {
  try {
    // Mostly nothing else is missing, and nothing has to be looked at first.
    if (makeDirectory(directory, owner)) return;
    const missing: string[] = [];
    // Node's own way of making parents asks for them for ever where the system makes none (/proc), and calls a
    // read-only file system a missing folder.
    for (let at = resolve(directory); !isDirectory(at); at = dirname(at)) missing.push(at);
    for (const each of missing.toReversed()) {
      if (!makeDirectory(each, owner)) throw new Error(`the directory above ${each} is gone`);
    }
  } catch (cause) {
    const error = StoreError.from(cause, `cannot make directory ${directory}`);
    // No mailbox is missing or there twice: a link leads nowhere, or to something else than a directory.
    const isInTheWay = error.code === 'NotFound' || error.code === 'AlreadyExists';
    throw isInTheWay ? new StoreError('Temporary', error.message, { cause }) : error;
  }
}

/** Whether it is there now: its parent may be missing. @throws what the system says else */
function makeDirectory(directory: string, owner: Ownership): boolean {
  try {
    fs.mkdirSync(directory, { mode: owner.directoryMode });
  } catch (cause) {
    if (isErrno(cause, 'EEXIST') && isDirectory(directory)) return true;
    if (isErrno(cause, 'ENOENT')) return false;
    throw cause;
  }
  adopt(directory, owner, 'directory');
  return true;
}

function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The directory above, or the first one above that which is there. */
export function nearest(directory: string): string {
  const parent = dirname(directory);
  return fs.existsSync(parent) || parent === directory ? parent : nearest(parent);
}

/** null if there is no such file. @throws {StoreError} */
export function readText(file: string, atMost?: number): string | null {
  try {
    if (atMost === undefined) return fs.readFileSync(file, 'utf8');
    const fd = fs.openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(atMost);
      return buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, atMost, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return null;
    throw StoreError.from(cause, `cannot read ${nameOf(file)}`);
  }
}

/** For messages: in a dry run a file of the store is a link to the one that its user knows. */
export function nameOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return file;
  }
}

/** A write may take less than it was given, when the disk gets full just there. */
export function writeAll(fd: number, bytes: Uint8Array, position: number | null): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}

/** For tidying up after an error, which must not hide it. */
export function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The error that we are tidying up after is the one to be told.
  }
}
