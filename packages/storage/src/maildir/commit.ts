/**
 * Carries a transaction out. The order makes a stop at any instant harmless:
 *
 * 1. bodies in tmp/ are durable, under their final names;
 * 2. Dovecot's lock on the uidlist is taken, and the mailbox read again;
 * 3. records are durable (a record without a file is nothing; a file without a record would get another UID);
 * 4. new mails get to their places, then flags, then expunges;
 * 5. directories are durable;
 * 6. the journal notes it, and the lock is given back.
 *
 * A stop before 3 leaves files in tmp/, which the next look removes; one after 3 leaves them for the next look to
 * finish (temporary.ts).
 */
import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno, StoreError } from '../errors.ts';
import { applySync, type MailboxMemory, type SyncChanges } from '../journal/apply-sync.ts';
import type { JournalHead } from '../journal/journal.ts';
import type { CommitResult } from '../mail-store.ts';
import type { Box } from './box.ts';
import { planCommit, recordOf, type CommitPlan, type PlannedMail } from './commit-plan.ts';
import { flush } from './context.ts';
import { parseFileName } from './file-name.ts';
import { NOT_MANY, type Many } from './flusher.ts';
import { attempt, type Ownership } from './files.ts';
import type { Folder } from './folder.ts';
import { sealedFingerprint } from './seal.ts';
import { noteUidValidity } from './uidvalidity.ts';
import { printRecords, printUidlist } from './uidlist.ts';
import { untoldAfter } from './untold-plan.ts';
import { uidNextOf, type View } from './view.ts';
import type { Work } from './work.ts';

/** With more than this in tmp/ the bodies are flushed before the lock is taken, so that it is not held for long. */
const FLUSH_EARLY_BYTES = 4_000_000;
const FLUSH_EARLY_MAILS = 500;
/** A uidlist up to this long is written anew rather than appended to: then bodies and records share one flush. */
const SHORT_UIDLIST = 2_000;

/** The caller holds the box's mutex. @throws {StoreError} (then the mailbox is as before) */
export async function commit(box: Box, work: Work): Promise<CommitResult> {
  if (hasNoMails(work)) {
    const head = await box.look();
    if (changesNothing(work, head)) return { ...NOTHING, modseqBefore: head.highestModseq };
  }
  const { context, folder } = box;
  const early = work.bytes > FLUSH_EARLY_BYTES || work.saved.length > FLUSH_EARLY_MAILS;
  if (early) await flush(context, [], bodies(box, work));
  context.checkpoint('bodies');
  await using _lock = await box.lockUidlist();
  const view = await box.viewLocked();
  const memory = box.memory();
  const plan = planCommit(work, view, memory, context.clock);
  const undo: (() => void)[] = [];
  let carried: Carried;
  try {
    await prepare(box, work, plan, view, early, undo);
    context.checkpoint('records');
    carried = carryOut(box, work, plan, view, undo);
  } catch (cause) {
    for (const step of undo.toReversed()) attempt(step);
    throw StoreError.from(cause, `cannot write to ${box.print}`);
  }
  context.checkpoint('files');
  if (work.rebuild !== null || plan.renumbered.length > 0)
    attempt(() => fs.rmSync(folder.formerUidlistFile, { force: true }));
  const fingerprint = carried.asPlanned ? sealedFingerprint(folder, carried.bases) : '';
  await flush(context, [folder.path('cur'), folder.path('new'), folder.places.control, folder.uidlistFile]);
  context.checkpoint('durable');
  // Still under the lock: another process that looks now would take what we did for a user's doing.
  const changes = { ...changesOf(work, plan, carried), fingerprint };
  await box.noting(async () => {
    const step = applySync(box.memory(), changes);
    await context.journal.write([box.isUnwritten ? { ...step, before: null } : step]);
    box.committed(step.head);
  });
  return resultOf(plan, memory);
}

const NOTHING = { uidsChanged: false, saved: 0, copied: 0, flagged: 0, expunged: 0, renumbered: 0 } as const;

function hasNoMails({ saved, copied, renumbered, flagged, expunged, rebuild }: Work): boolean {
  return saved.length + copied.length + renumbered.size + flagged.size + expunged.size === 0 && rebuild === null;
}

/** Of what concerns the mailbox as a whole: whether it is so already. */
function changesNothing({ attributes, numbers }: Work, head: JournalHead): boolean {
  const { guid, uidValidity, uidNext, highestModseq, firstRecentUid } = head;
  return (
    attributes.length === 0 &&
    (numbers.guid ?? guid) === guid &&
    (numbers.uidValidity ?? uidValidity) === uidValidity &&
    (numbers.uidNext ?? 0) <= uidNext &&
    (numbers.highestModseq ?? 0n) <= highestModseq &&
    (numbers.firstRecentUid ?? 0) <= firstRecentUid
  );
}

function bodies({ folder }: Box, { saved, workshop }: Work): Many {
  return { count: saved.length, paths: () => saved.map(({ at }) => folder.path(workshop.name(at))) };
}

/** Everything up to the point where the records are durable. */
async function prepare(
  box: Box,
  work: Work,
  plan: CommitPlan,
  view: View,
  early: boolean,
  undo: (() => void)[],
): Promise<void> {
  const { context, folder } = box;
  const owner = folder.ownership();
  const arriving = plan.mails.filter(({ arrives }) => arrives);
  const temporary = ({ at }: PlannedMail): string => folder.path(work.workshop.name(at));
  undo.push(() => {
    for (const mail of arriving) fs.rmSync(temporary(mail), { force: true });
  });
  for (const mail of arriving) bring(box, work, mail);
  const sources: Many = { count: arriving.length, paths: () => arriving.map(temporary) };
  const many = early ? NOT_MANY : sources;
  const durable: string[] = [];
  if (plan.letters !== view.letters) {
    folder.replaceKeywords(plan.letters, owner);
    durable.push(folder.keywordsFile);
  }
  const untold = untoldAfter(plan, view.letters, box.memory(), work.rebuild !== null);
  if (untold !== null) {
    folder.writeUntoldKeywords(untold, owner);
    durable.push(folder.untoldFile);
  }
  const { guid, uidValidity } = work.numbers;
  if (uidValidity !== undefined || work.rebuild !== null)
    noteUidValidity(context.layout.roots.control, uidValidity ?? work.rebuild?.uidValidity ?? 0);
  if (!changesUidlist(work, plan, view)) {
    await flush(context, durable, many);
    return;
  }
  const rewrite = work.rebuild !== null || guid !== undefined || uidValidity !== undefined || mustRewrite(plan, view);
  if (rewrite) await rewriteUidlist(box, work, plan, view, owner, durable, many, undo);
  else {
    await flush(context, durable, many);
    folder.appendUidlist(printRecords(plan.mails.map(recordOf)));
    await flush(context, [folder.uidlistFile]);
  }
}

/** Gives a mail in tmp/ the name that it needs now; links a copy there. */
function bring({ folder }: Box, { workshop }: Work, mail: PlannedMail): void {
  const path = folder.path(workshop.name(mail.at));
  if (mail.namedFor !== null && mail.namedFor !== mail.at)
    fs.renameSync(folder.path(workshop.name(mail.namedFor)), path);
  if (mail.how !== 'save' && mail.source !== null) {
    const from = folder.path(mail.source);
    try {
      fs.linkSync(from, path);
    } catch (cause) {
      if (!isErrno(cause, 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')) throw cause;
      const { atime, mtime } = fs.statSync(from);
      fs.copyFileSync(from, path, fs.constants.COPYFILE_EXCL);
      fs.utimesSync(path, atime, mtime);
    }
  }
}

function changesUidlist(work: Work, plan: CommitPlan, view: View): boolean {
  if (work.rebuild !== null || plan.mails.length > 0 || plan.renumbered.length > 0) return true;
  const { guid, uidValidity } = work.numbers;
  if (guid !== undefined && guid !== view.uidlist.guid) return true;
  if (uidValidity !== undefined && uidValidity !== view.uidlist.uidValidity) return true;
  return plan.uidNext > uidNextOf(view.uidlist);
}

function mustRewrite(plan: CommitPlan, { uidlist, files }: View): boolean {
  const last = plan.mails.at(-1);
  if (last === undefined || plan.renumbered.length > 0 || uidlist.untidy || plan.uidNext > last.uid + 1) return true;
  const { length } = uidlist.records;
  return length <= SHORT_UIDLIST || plan.mails.length * 4 > length || files.size < length * 0.75;
}

async function rewriteUidlist(
  box: Box,
  work: Work,
  plan: CommitPlan,
  view: View,
  owner: Ownership,
  durable: string[],
  many: Many,
  undo: (() => void)[],
): Promise<void> {
  const { context, folder } = box;
  const moved = new Map(plan.renumbered.map(({ from, to }): [number, number] => [from, to]));
  // Records of mails that are only about to be removed stay: without them, a stop now would make the mails new ones.
  const kept = work.rebuild === null ? view.uidlist.records.filter(({ base }) => view.files.has(base)) : [];
  const records = [
    ...(moved.size === 0 ? kept : kept.map((record) => ({ ...record, uid: moved.get(record.uid) ?? record.uid }))),
    ...plan.mails.map(recordOf),
  ];
  const next = `${folder.uidlistFile}.tmp`;
  const { fields } = view.uidlist;
  const text = printUidlist({
    uidValidity: work.numbers.uidValidity ?? work.rebuild?.uidValidity ?? view.uidlist.uidValidity,
    guid: work.numbers.guid ?? work.rebuild?.guid ?? view.uidlist.guid,
    uidNext: plan.uidNext,
    fields,
    records: records.toSorted((a, b) => a.uid - b.uid),
  });
  folder.prepareUidlist(text, owner);
  try {
    await flush(context, [...durable, next], many);
    if (work.rebuild !== null) dropIndexes(box);
    // Of added mails it does no harm if their records stay without them; the others would lose theirs.
    if (work.rebuild !== null || plan.renumbered.length > 0) keepFormer(folder, undo);
    fs.renameSync(next, folder.uidlistFile);
  } catch (cause) {
    attempt(() => fs.rmSync(next, { force: true }));
    throw cause;
  }
}

function keepFormer({ formerUidlistFile, uidlistFile }: Folder, undo: (() => void)[]): void {
  fs.rmSync(formerUidlistFile, { force: true });
  fs.linkSync(uidlistFile, formerUidlistFile);
  undo.push(() => fs.renameSync(formerUidlistFile, uidlistFile));
}

/** What Dovecot remembers of a mailbox that is made anew. */
function dropIndexes(box: Box): void {
  const { index } = box.folder.places;
  let names: string[] = [];
  attempt(() => (names = fs.readdirSync(index)));
  for (const name of names) if (/^dovecot\.index(?:$|\.)/.test(name)) fs.rmSync(join(index, name), { force: true });
}

interface Carried {
  /** Mails that were to be flagged or renamed, but somebody else was quicker. */
  readonly skipped: ReadonlySet<number>;
  /** Base names that must be there now. */
  readonly bases: ReadonlySet<string>;
  readonly asPlanned: boolean;
}

function carryOut(box: Box, work: Work, plan: CommitPlan, view: View, undo: (() => void)[]): Carried {
  const { folder, context } = box;
  const bases = new Set(view.files.keys());
  const skipped = new Set<number>();
  let asPlanned = plan.renames.length === plan.flagged.length || plan.renames.every(({ uid }) => work.flagged.has(uid));
  const move = (from: string, to: string): void => {
    fs.renameSync(folder.path(from), folder.path(to));
    undo.push(() => fs.renameSync(folder.path(to), folder.path(from)));
  };
  let placed = 0;
  undo.push(() => {
    for (const { arrives, at } of plan.mails.slice(0, placed)) if (arrives) fs.rmSync(folder.path(at), { force: true });
  });
  for (const { arrives, at, source, base } of plan.mails) {
    if (arrives) fs.renameSync(folder.path(work.workshop.name(at)), folder.path(at));
    else if (source !== null && source !== at && !tryMove(move, source, at)) asPlanned = false;
    placed++;
    bases.add(base);
    context.checkpoint('mail');
  }
  for (const { uid, from, to } of plan.renames) {
    if (from === to || tryMove(move, from, to)) continue;
    skipped.add(uid);
    asPlanned = false;
  }
  // From here on nothing can be taken back, and nothing needs room on the disk.
  const doomed = work.rebuild === null ? plan.expunged.map(({ name }) => name) : leftOver(plan, view);
  for (const name of doomed) {
    remove(box, name);
    bases.delete(parseFileName(name.slice(4))?.base ?? '');
    context.checkpoint('expunge');
  }
  if (work.rebuild !== null) dropIndexes(box);
  return { skipped, bases, asPlanned };
}

/** False if somebody else renamed or removed the file just now. */
function tryMove(move: (from: string, to: string) => void, from: string, to: string): boolean {
  try {
    move(from, to);
    return true;
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return false;
    throw cause;
  }
}

/** A file that is renamed just now (a flag was set) is removed under its new name. */
function remove(box: Box, name: string): void {
  const { folder } = box;
  const base = parseFileName(name.slice(4))?.base ?? '';
  let at: string | undefined = name;
  for (let i = 0; at !== undefined && i < 10; i++) {
    try {
      fs.unlinkSync(folder.path(at));
      return;
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) throw cause;
      at = folder.list().get(base)?.at;
    }
  }
}

function leftOver(plan: CommitPlan, view: View): string[] {
  const stays = new Set(plan.mails.map(({ base }) => base));
  return [...view.files.values()].filter(({ base }) => !stays.has(base)).map(({ at }) => at);
}

function changesOf(work: Work, plan: CommitPlan, { skipped }: Carried): Omit<SyncChanges, 'fingerprint'> {
  const saved = plan.mails.map(({ uid, mail, keywords, at }) => ({
    uid,
    guid: mail.guid,
    flags: mail.flags,
    keywords,
    modseq: mail.modseq,
    name: at,
  }));
  const numbers = {
    ...work.rebuild,
    ...work.numbers,
    uidNext: plan.uidNext,
    firstRecentUid: plan.firstRecentUid,
  };
  if (work.rebuild !== null) return { rebuilt: true, saved, attributes: work.attributes, numbers };
  return {
    saved,
    flagged: plan.flagged.filter(({ uid }) => !skipped.has(uid)),
    renumbered: plan.renumbered,
    expunged: plan.expunged.map(({ uid }) => uid),
    attributes: work.attributes,
    numbers,
  };
}

function resultOf(plan: CommitPlan, memory: MailboxMemory): CommitResult {
  const count = (how: PlannedMail['how']): number => plan.mails.filter((mail) => mail.how === how).length;
  return {
    uidsChanged: plan.uids.uidsChanged,
    modseqBefore: memory.head.highestModseq,
    saved: count('save'),
    copied: count('copy'),
    flagged: plan.flagged.length,
    expunged: plan.expunged.length,
    renumbered: plan.renumbered.length - plan.uids.racing.size,
  };
}
