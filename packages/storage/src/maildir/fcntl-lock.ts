/**
 * Lock files as Dovecot's synchroniser makes them: an fcntl write lock on a file that its holder removes before letting
 * go. The lock ends with its process, so a file that a killed one has left behind keeps nobody out.
 */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { monotonicMs } from '@dsync/protocol';

import { isErrno, StoreError } from '../errors.ts';
import { adopt, type Ownership } from './files.ts';

/** With `timeoutMs` 0 there is one attempt. */
export interface FcntlLockOptions {
  readonly timeoutMs: number;
  /** How the error begins, for instance `Couldn't lock …`. */
  readonly failure: string;
  /** Whose the file is to be, so that a Dovecot with other rights can open it. */
  readonly owner: Ownership;
}

/**
 * Takes the lock. Several holders in one process exclude each other too.
 * @throws {StoreError} `Locked` after the timeout; `Permission`, `DiskFull`, …
 */
export async function takeFcntlLock(path: string, options: FcntlLockOptions): Promise<AsyncDisposable> {
  const deadline = monotonicMs() + options.timeoutMs;
  const { tryLock } = await import('fs-native-extensions').catch((cause: unknown) => {
    throw new StoreError(
      'Temporary',
      `${options.failure}: no fcntl locks on ${process.platform} ${process.arch}: the package fs-native-extensions does not load`,
      { cause },
    );
  });
  for (let wait = 2; ; wait = Math.min(wait * 2, 50)) {
    const fd = attempt(path, options, tryLock);
    if (fd !== null) return new Held(path, fd);
    if (monotonicMs() >= deadline) {
      const holder = holderOf(path);
      // A Dovecot's words, for which somebody may look in a log: of one it says seconds as well.
      throw new StoreError(
        'Locked',
        `${options.failure}: Timed out after ${Math.ceil(options.timeoutMs / 1000)} seconds (WRITE lock held by ${holder === null ? 'another process' : `pid ${holder}`})`,
      );
    }
    await sleep(wait);
  }
}

/** The locked file's descriptor; null if somebody else has the lock. */
function attempt(path: string, options: FcntlLockOptions, tryLock: (fd: number) => boolean): number | null {
  let fd: number | null = null;
  try {
    fd = fs.openSync(path, fs.constants.O_RDWR);
    // Whoever had it may have removed the file since it was opened: then this lock is nobody's business.
    if (tryLock(fd) && isAt(fd, path)) return fd;
    fs.closeSync(fd);
    return null;
  } catch (cause) {
    if (fd !== null) fs.closeSync(fd);
    if (!isErrno(cause, 'ENOENT')) throw StoreError.from(cause, options.failure);
  }
  return create(path, options, tryLock);
}

/** Where it is to belong to somebody else, under another name first: a Dovecot that finds it must be able to open it. */
function create(path: string, options: FcntlLockOptions, tryLock: (fd: number) => boolean): number | null {
  const { uid, gid } = options.owner;
  const isOwn = process.geteuid?.() === uid && process.getegid?.() === gid;
  const early = isOwn ? path : `${path}.${process.pid}.${counter++}`;
  let fd: number | null = null;
  try {
    fd = fs.openSync(early, 'wx+', 0o600);
    adopt(fd, options.owner, 'file');
    fs.writeSync(fd, `${process.pid}\n`);
    const isOurs = tryLock(fd);
    if (!isOwn) fs.linkSync(early, path);
    if (isOurs) return fd;
    // Somebody found it at once, and removes it in the end.
    fs.closeSync(fd);
    return null;
  } catch (cause) {
    if (fd !== null) fs.closeSync(fd);
    if (isErrno(cause, 'EEXIST')) return null;
    throw StoreError.from(cause, options.failure);
  } finally {
    if (!isOwn) fs.rmSync(early, { force: true });
  }
}

let counter = 0;

function isAt(fd: number, path: string): boolean {
  const there = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  const here = fs.fstatSync(fd, { bigint: true });
  return there !== undefined && there.ino === here.ino && there.dev === here.dev;
}

/** The process that has the lock, for the message; null if it cannot be found out. */
function holderOf(path: string): number | null {
  try {
    const inode = fs.statSync(path).ino;
    for (const line of fs.readFileSync('/proc/locks', 'latin1').split('\n')) {
      // 1: POSIX  ADVISORY  WRITE 4242 fe:00:2204165 0 EOF
      const [, , , kind, pid, file] = line.split(/\s+/);
      // Locks like ours have the number -1: they belong to no process. Their file says whose they are.
      if (kind === 'WRITE' && file?.endsWith(`:${inode}`) === true && Number(pid) > 0) return Number(pid);
    }
    const written = /^(\d{1,10})\n/.exec(fs.readFileSync(path, 'latin1'))?.[1];
    return written === undefined ? null : Number(written);
  } catch {
    return null;
  }
}

class Held implements AsyncDisposable {
  readonly #path: string;
  #fd: number | null;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    try {
      // A folder that was deleted or renamed meanwhile has taken the file with it, and another may stand in its place.
      if (isAt(fd, this.#path)) await fs.promises.unlink(this.#path);
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) throw cause;
    } finally {
      // Closing ends the lock. Not on the main thread either: it is then that the file system gives the file's space back.
      await new Promise<void>((resolve) => fs.close(fd, () => resolve()));
    }
  }
}
