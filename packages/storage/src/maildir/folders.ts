/** Makes, renames and removes the directories of mailboxes, in all of a store's trees. */
import fs from 'node:fs';
import { dirname, join } from 'node:path';

import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import { isErrno, StoreError } from '../errors.ts';
import { isBelow, isInbox, samePath } from '../paths.ts';
import type { Context } from './context.ts';
import { attempt, makeDirectories, ownershipOf, replaceFile } from './files.ts';
import { Folder } from './folder.ts';
import { TRASH, type Places } from './layout.ts';
import { hasCur } from './scan.ts';
import { noteUidValidity } from './uidvalidity.ts';
import { printUidlist } from './uidlist.ts';

/**
 * An empty mailbox. Nothing is flushed: whoever writes to it first does that, and until then losing it loses nothing.
 * @throws {StoreError} `AlreadyExists`, …; then nothing of it is left
 */
export function makeFolder(
  context: Context,
  path: MailboxPath,
  as: { readonly guid: MailboxGuid; readonly uidValidity: number },
): void {
  const { layout } = context;
  const places = layout.places(path);
  if (hasCur(places.mail)) throw new StoreError('AlreadyExists', `mailbox ${layout.print(path)} already exists`);
  // One that leads to no mail folder, or to another user's, is not to be followed.
  if (!isInbox(path) && fs.lstatSync(places.mail, { throwIfNoEntry: false })?.isSymbolicLink() === true)
    throw new StoreError('AlreadyExists', `cannot make mailbox ${layout.print(path)}: a link is in its place`);
  const owner = ownershipOf(layout.roots.mail);
  makeDirectories(places.mail, owner);
  if (places.control !== places.mail) makeDirectories(places.control, owner);
  noteUidValidity(layout.roots.control, as.uidValidity);
  try {
    for (const name of ['tmp', 'new']) makeDirectories(join(places.mail, name), owner);
    if (layout.name === 'maildir++' && !isInbox(path))
      fs.closeSync(fs.openSync(join(places.mail, 'maildirfolder'), 'a', owner.fileMode));
    const { uidlistFile } = new Folder(places);
    replaceFile(uidlistFile, `${uidlistFile}.tmp`, printUidlist({ ...as, uidNext: 1, fields: '', records: [] }), owner);
    // It is a mailbox from the moment that it has cur/.
    makeDirectories(join(places.mail, 'cur'), owner);
    context.unflushed.add(uidlistFile).add(places.control).add(places.mail).add(dirname(places.mail));
  } catch (cause) {
    attempt(() => removeMailFiles(places));
    attempt(() => fs.rmdirSync(places.mail));
    throw StoreError.from(cause, `cannot make mailbox ${layout.print(path)}`);
  }
}

/** Moves a mailbox or directory with everything below it. @throws {StoreError} */
export function moveFolders(context: Context, from: MailboxPath, to: MailboxPath, all: readonly MailboxPath[]): void {
  const { layout } = context;
  const moved = layout.name === 'fs' ? [from] : all.filter((path) => isBelow(path, from) || samePath(path, from));
  const undo: (() => void)[] = [];
  try {
    for (const path of moved) {
      const [old, next] = [layout.places(path), layout.places([...to, ...path.slice(from.length)])];
      for (const [source, target] of trees(old, next)) {
        if (!fs.existsSync(source)) continue;
        makeDirectories(dirname(target), ownershipOf(layout.roots.mail));
        fs.renameSync(source, target);
        undo.push(() => fs.renameSync(target, source));
        context.unflushed.add(dirname(source)).add(dirname(target));
      }
    }
  } catch (cause) {
    for (const step of undo.toReversed()) attempt(step);
    throw StoreError.from(cause, `cannot rename mailbox ${layout.print(from)} to ${layout.print(to)}`);
  }
}

/**
 * Removes a mailbox's mail; what lies below it stays. It is renamed first to the name that Dovecot ignores, so that
 * nobody sees half of it. @throws {StoreError}
 */
export function removeFolder(context: Context, path: MailboxPath): void {
  const { layout } = context;
  const places = layout.places(path);
  const trash = join(layout.roots.mail, TRASH[layout.name]);
  try {
    fs.rmSync(trash, { recursive: true, force: true });
    if (layout.name === 'fs') moveMailFiles(places, trash);
    else fs.renameSync(places.mail, trash);
    for (const other of new Set([places.control, places.index])) if (other !== places.mail) removeSideFiles(other);
    fs.rmSync(trash, { recursive: true, force: true });
    for (const directory of [places.mail, places.control, places.index]) attempt(() => fs.rmdirSync(directory));
    context.unflushed.add(dirname(places.mail));
    // What was made or moved there and is gone now need not be flushed any more.
    for (const pending of context.unflushed) if (!fs.existsSync(pending)) context.unflushed.delete(pending);
  } catch (cause) {
    throw StoreError.from(cause, `cannot delete mailbox ${layout.print(path)}`);
  }
}

/** @throws {StoreError} `NotFound`, `NotEmpty` */
export function removeDirectory(context: Context, path: MailboxPath): void {
  const places = context.layout.places(path);
  const print = context.layout.print(path);
  try {
    if (hasCur(places.mail)) throw new StoreError('NotEmpty', `directory ${print} is a mailbox`);
    fs.rmdirSync(places.mail);
    for (const other of [places.control, places.index]) if (other !== places.mail) attempt(() => fs.rmdirSync(other));
    context.unflushed.add(dirname(places.mail));
    context.unflushed.delete(places.mail);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) throw new StoreError('NotFound', `directory ${print} doesn't exist`, { cause });
    throw StoreError.from(cause, `cannot remove directory ${print}`);
  }
}

function trees(from: Places, to: Places): [string, string][] {
  const pairs = new Map<string, string>([
    [from.mail, to.mail],
    [from.control, to.control],
    [from.index, to.index],
  ]);
  return [...pairs];
}

const MAIL_DIRECTORIES = ['cur', 'new', 'tmp'];
/** What belongs to the mailbox itself and not to what lies below it. */
const SIDE_FILE = /^(?:dovecot[.-].*|maildirfolder|\.dovecot-box-sync\.lock)$/;

function moveMailFiles(places: Places, trash: string): void {
  for (const name of MAIL_DIRECTORIES) moveToTrash(join(places.mail, name), trash, name);
  removeSideFiles(places.mail);
}

/** Another process may be emptying the trash just now. */
function moveToTrash(directory: string, trash: string, name: string): void {
  for (let attempts = 5; fs.existsSync(directory); attempts--) {
    makeDirectories(trash, { ...ownershipOf(dirname(directory)), directoryMode: 0o700 });
    try {
      fs.renameSync(directory, join(trash, name));
    } catch (cause) {
      if (attempts === 0 || !isErrno(cause, 'ENOENT')) throw cause;
    }
  }
}

function removeMailFiles(places: Places): void {
  for (const name of MAIL_DIRECTORIES) fs.rmSync(join(places.mail, name), { recursive: true, force: true });
  removeSideFiles(places.mail);
  if (places.control !== places.mail) removeSideFiles(places.control);
}

function removeSideFiles(directory: string): void {
  let names: string[] = [];
  attempt(() => (names = fs.readdirSync(directory)));
  for (const name of names) if (SIDE_FILE.test(name)) fs.rmSync(join(directory, name), { force: true });
}
