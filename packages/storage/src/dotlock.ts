/**
 * Lock files as Dovecot makes them: created with O_EXCL, holding `<pid>:<host>`.
 *
 * A lock is stale when its process is of this host and dead, when it has stayed empty for some seconds, or when neither it
 * nor the file that it guards has changed for two minutes. The lock of a live process of this host is never broken.
 */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { counted, monotonicMs } from '@dsync/protocol';

import { isErrno, StoreError } from './errors.ts';

const STALE_MS = 120_000;
/** A dead process's lock must have been seen unchanged this long. */
const DEAD_MS = 2_000;
/** So must one that names no process: its owner was ended between making it and writing into it. */
const NAMELESS_MS = 5_000;
const TOUCH_MS = 10_000;

/** Who locks, for how long, and whose the lock file is. */
export interface DotlockOptions {
  readonly host: string;
  readonly timeoutMs: number;
  /** What is locked, for the error. */
  readonly what: string;
  /** The file that it guards, whose changes show that the lock's owner is alive. */
  readonly guards?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** `fs.promises` would be loaded for this alone: two milliseconds of a run that has nothing to do. */
const unlink = promisify(fs.unlink);

/** Paths that this process holds now, so that a lock left by another process with our pid is known as stale. */
const held = new Set<string>();

/** @throws {StoreError} `Locked` after the timeout; `Permission`, `DiskFull`, … */
export async function takeDotlock(path: string, options: DotlockOptions): Promise<AsyncDisposable> {
  const deadline = monotonicMs() + options.timeoutMs;
  let seen: Seen | null = null;
  for (let wait = 2; ; wait = Math.min(wait * 2, 50)) {
    if (!held.has(path)) {
      if (tryCreate(path, options)) return new Held(path);
      seen = look(path, options, seen);
      if (seen !== null && isStale(seen, options)) breakLock(path, seen);
    }
    if (monotonicMs() >= deadline)
      throw new StoreError(
        'Locked',
        `couldn't lock ${options.what} within ${counted(Math.ceil(options.timeoutMs / 1000), 'second')}: ${path} is held${seen?.owner === undefined ? '' : ` by process ${seen.owner}`}`,
      );
    await sleep(wait);
  }
}

/**
 * Whether a lock is there whose process, of this host, is gone; or one that is not signed, which is so for some
 * microseconds or for ever: who takes it will see. Costs one stat if there is none.
 */
export function isAbandonedLock(path: string, host: string): boolean {
  if (!fs.existsSync(path) || held.has(path)) return false;
  const seen = look(path, { host, timeoutMs: 0, what: path }, null);
  if (seen === null || seen.pid === null) return seen?.empty === true;
  return seen.host === host && (seen.pid === process.pid || !isAlive(seen.pid));
}

interface Seen {
  readonly stamp: string;
  /** Of monotonicMs(), when this stamp was first seen. */
  readonly since: number;
  readonly pid: number | null;
  readonly host: string;
  readonly owner: string | undefined;
  readonly empty: boolean;
}

function tryCreate(path: string, { host, uid, gid, what }: DotlockOptions): boolean {
  let fd: number;
  try {
    fd = fs.openSync(path, 'wx', 0o600);
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) return false;
    throw StoreError.from(cause, `cannot lock ${what}`);
  }
  try {
    fs.writeSync(fd, `${process.pid}:${host}`);
    if (uid !== undefined && gid !== undefined) giveTo(fd, uid, gid);
  } catch (cause) {
    fs.closeSync(fd);
    fs.rmSync(path, { force: true });
    throw StoreError.from(cause, `cannot lock ${what}`);
  }
  fs.closeSync(fd);
  return true;
}

/** To the folder's owner. Who may not give files away keeps it: it locks as well. @throws what the system says else */
function giveTo(fd: number, uid: number, gid: number): void {
  try {
    fs.fchownSync(fd, uid, gid);
  } catch (cause) {
    if (!isErrno(cause, 'EPERM')) throw cause;
  }
}

function look(path: string, { guards }: DotlockOptions, before: Seen | null): Seen | null {
  try {
    const stat = fs.statSync(path, { bigint: true });
    const guarded = guards === undefined ? undefined : fs.statSync(guards, { bigint: true, throwIfNoEntry: false });
    const stamp = `${stat.ino} ${stat.mtimeNs} ${guarded?.mtimeNs ?? ''} ${guarded?.size ?? ''}`;
    if (before?.stamp === stamp) return before;
    const text = readOwner(path);
    const match = /^(\d{1,10}):(.*)$/s.exec(text);
    return {
      stamp,
      since: monotonicMs(),
      pid: match === null ? null : Number(match[1]),
      host: match?.[2] ?? '',
      owner: match === null ? undefined : text,
      empty: text === '',
    };
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return null;
    throw StoreError.from(cause, `cannot read the lock ${path}`);
  }
}

/** One that may not be read, which another user's is for a moment, is somebody's. */
function readOwner(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1').slice(0, 300);
  } catch (cause) {
    if (isErrno(cause, 'EACCES')) return 'another user';
    throw cause;
  }
}

function isStale({ pid, host, since, empty }: Seen, options: DotlockOptions): boolean {
  const age = monotonicMs() - since;
  if (empty) return age >= NAMELESS_MS;
  if (pid !== null && host === options.host) {
    if (pid === process.pid || !isAlive(pid)) return age >= DEAD_MS;
    return false;
  }
  return age >= STALE_MS;
}

function breakLock(path: string, seen: Seen): void {
  const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  // Somebody else may just have broken it and made his own.
  if (stat !== undefined && seen.stamp.startsWith(`${stat.ino} ${stat.mtimeNs} `)) fs.rmSync(path, { force: true });
}

class Held implements AsyncDisposable {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  #released = false;

  constructor(path: string) {
    this.#path = path;
    held.add(path);
    this.#timer = setInterval(() => touch(path), TOUCH_MS);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    try {
      // Not on the main thread: while the file system commits, an unlink waits for it.
      await unlink(this.#path);
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) throw cause;
    } finally {
      held.delete(this.#path);
    }
  }
}

function touch(path: string): void {
  const now = new Date();
  fs.utimes(path, now, now, () => {});
}

/** Whether a process of this machine exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return !isErrno(cause, 'ESRCH');
  }
}
