/**
 * Mails on their way in: files in tmp/ whose names say whose they are and what they are to become, so that whoever
 * opens the mailbox next can finish or undo what a killed process began.
 *
 *     dsync.<pid>.<start of that process>.<transaction>.<host>,<c or n><final name>
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';
import { isAlive } from '../dotlock.ts';
import { LOG } from './dovecot-records.ts';
import { parseFileName, sizeIn } from './file-name.ts';
import { attempt } from './files.ts';
import type { Folder } from './folder.ts';

const PATTERN = /^dsync\.(\d{1,10})\.([0-9a-z]{1,16})\.([0-9a-f]{8})\.([^,]{1,60}),([cn])(.+)$/s;

/** Transactions of this process that are under way. */
const live = new Set<string>();

/** One transaction's place in tmp/. */
export class Workshop implements Disposable {
  readonly #prefix: string;
  readonly #token = randomBytes(4).toString('hex');

  constructor(host: string) {
    live.add(this.#token);
    this.#prefix = `dsync.${process.pid}.${START}.${this.#token}.${host.replaceAll(',', '_')},`;
  }

  /** `tmp/…` for a mail that is to lie at `cur/…` or `new/…`. */
  name(at: string): string {
    return `tmp/${this.#prefix}${at.startsWith('cur/') ? 'c' : 'n'}${at.slice(4)}`;
  }

  [Symbol.dispose](): void {
    live.delete(this.#token);
  }
}

/** Where a file in tmp/ is to lie, and whether nobody is at work on it any more; null if it is not ours. */
export function parseTemporary(
  name: string,
  host: string,
): { readonly at: string; readonly abandoned: boolean } | null {
  const match = PATTERN.exec(name);
  if (match === null) return null;
  const [, pid = '', start = '', token = '', owner = '', place = '', final = ''] = match;
  const at = `${place === 'c' ? 'cur' : 'new'}/${final}`;
  if (owner !== host.replaceAll(',', '_')) return { at, abandoned: false };
  const number = Number(pid);
  const abandoned =
    number === process.pid && start === START ? !live.has(token) : !isAlive(number) || startOf(number) !== start;
  return { at, abandoned };
}

/** Whether there are files of ours that nobody is at work on. Without the lock a former uidlist may be a live commit's. */
export function hasAbandoned(folder: Folder, host: string): boolean {
  if (fs.existsSync(folder.formerUidlistFile)) return true;
  return readTmp(folder).some((name) => parseTemporary(name, host)?.abandoned === true);
}

/**
 * Finishes what killed processes began: a mail that has its record in the uidlist goes to its place if it is whole,
 * everything else is removed. To be called with the uidlist locked.
 *
 * Returns the base names of mails that came to light too late for their UIDs: a Dovecot that looked meanwhile has noted
 * the UIDs as past, and would give such a mail another one and another GUID.
 * @throws {StoreError}
 */
export function recover(
  folder: Folder,
  host: string,
  recorded: (base: string) => boolean,
  present: (base: string) => boolean,
): ReadonlySet<string> {
  const late = new Set<string>();
  const lookedAt = fs.statSync(join(folder.places.index, LOG), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  attempt(() => fs.rmSync(folder.formerUidlistFile, { force: true }));
  for (const name of readTmp(folder)) {
    const temporary = parseTemporary(name, host);
    if (temporary === null || !temporary.abandoned) continue;
    const from = folder.path(`tmp/${name}`);
    const base = parseFileName(temporary.at.slice(4))?.base ?? '';
    try {
      if (recorded(base) && !present(base) && isWhole(from, base)) {
        if (fs.statSync(from).ctimeMs <= lookedAt) late.add(base);
        fs.renameSync(from, folder.path(temporary.at));
      } else fs.rmSync(from, { force: true });
    } catch (cause) {
      throw StoreError.from(cause, `cannot tidy up ${from}`);
    }
  }
  return late;
}

/** Removes files that were not yet renamed to what they were to replace. To be called with the uidlist locked. */
export function removeUnfinished({ uidlistFile, keywordsFile }: Folder): void {
  for (const file of [`${uidlistFile}.tmp`, `${keywordsFile}.lock`]) attempt(() => fs.rmSync(file, { force: true }));
}

/** After a power cut a file may be shorter than what was written. */
function isWhole(file: string, base: string): boolean {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
  return size !== undefined && size === (sizeIn(base, 'S') ?? size);
}

function readTmp(folder: Folder): string[] {
  try {
    return fs.readdirSync(join(folder.places.mail, 'tmp'));
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return [];
    throw StoreError.from(cause, `cannot list mail folder ${join(folder.places.mail, 'tmp')}`);
  }
}

/** When a process began, so that another one with the same pid is not taken for it; '0' where the system does not tell. */
function startOf(pid: number): string {
  let start = '0';
  attempt(() => {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses that may hold anything; the start is the 22nd.
    const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    start = Number(field).toString(36);
  });
  return start;
}

const START = startOf(process.pid);
