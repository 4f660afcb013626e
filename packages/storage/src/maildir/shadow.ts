/**
 * For a look that leaves no trace: a folder of its own takes what a look writes beside the mails, such as UIDs for those
 * that have none, and the journal. Files that are only ever replaced as a whole are links there, so that they have the
 * very metadata by which the journal knows an unchanged mailbox; those that are written in place are copies.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { isAlive } from '../dotlock.ts';
import { isErrno, StoreError } from '../errors.ts';
import { attempt } from './files.ts';
import { JOURNAL_FILE, Layout } from './layout.ts';
import { scan } from './scan.ts';

/** Disposing of it removes it. */
export interface Shadow extends Disposable {
  /** The same mails, with the places for everything else in the shadow. */
  readonly layout: Layout;
}

const CONTROL_LINKS = ['dovecot-uidlist', 'dovecot-keywords', 'dovecot-keywords.dsync'];
const INDEX_LINKS = ['dovecot.index.log', 'dovecot.index.log.2'];
const CONTROL_COPIES = ['dovecot-uidvalidity'];
const INDEX_COPIES = ['dovecot.mailbox.log', 'dovecot.mailbox.log.2', JOURNAL_FILE];

/** A temporary folder's name; the process's number follows. */
const PREFIX = 'dsync-dry-run-';

/** How often a copy is made again because the file changed meanwhile. */
const MAX_COPIES = 5;

/** @throws {StoreError} if no folder can be made for it; `Permission` */
export function makeShadow(layout: Layout): Shadow {
  const folder = makeFolder();
  try {
    const { mail, control, index, inbox } = layout.roots;
    const roots = {
      // A store whose INBOX alone is there.
      mail: fs.existsSync(mail) ? mail : join(folder, 'mail'),
      control: join(folder, 'control'),
      index: join(folder, 'index'),
      inbox,
    };
    for (const root of [roots.mail, roots.control, roots.index]) fs.mkdirSync(root, { recursive: true });
    const shadow = new Layout(layout.name, layout.separator, roots);
    for (const path of scan(shadow, () => {}).mailboxes) {
      const [from, to] = [layout.places(path), shadow.places(path)];
      for (const name of CONTROL_LINKS) link(join(from.control, name), join(to.control, name));
      for (const name of INDEX_LINKS) link(join(from.index, name), join(to.index, name));
    }
    link(join(control, 'subscriptions'), join(roots.control, 'subscriptions'));
    for (const name of CONTROL_COPIES) copy(join(control, name), join(roots.control, name));
    for (const name of INDEX_COPIES) copy(join(index, name), join(roots.index, name));
    return { layout: shadow, [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }) };
  } catch (cause) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw StoreError.from(cause, `cannot look at ${layout.roots.mail}`);
  }
}

function makeFolder(): string {
  try {
    removeLeft(tmpdir());
    return fs.mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  } catch (cause) {
    const denied = StoreError.from(cause, `cannot make a folder for the dry run below ${tmpdir()} (see TMPDIR)`);
    // What is missing is no mailbox.
    throw denied.code === 'NotFound' ? new StoreError('Temporary', denied.message, { cause }) : denied;
  }
}

/** What a killed process of this user has left. Other users' folders could be changed while they are removed. */
function removeLeft(temporary: string): void {
  for (const name of fs.readdirSync(temporary)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const folder = join(temporary, name);
    attempt(() => {
      if (fs.lstatSync(folder).uid === process.getuid?.()) fs.rmSync(folder, { recursive: true, force: true });
    });
  }
}

function link(from: string, to: string): void {
  if (!fs.existsSync(from)) return;
  fs.mkdirSync(dirname(to), { recursive: true });
  fs.symlinkSync(from, to);
}

/** As it was at one time: another process may be writing to it. */
function copy(from: string, to: string): void {
  try {
    for (let i = 1; ; i++) {
      const before = fs.lstatSync(from);
      if (!before.isFile()) return;
      fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
      const after = fs.lstatSync(from);
      if (i === MAX_COPIES || (after.mtimeMs === before.mtimeMs && after.size === before.size)) break;
    }
    // It is written to, whatever the mode of the one that it is a copy of.
    fs.chmodSync(to, 0o600);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) throw cause;
  }
}
