/** The steps of a commit up to the point where its records are durable: bodies, keywords, the uidlist. */
import fs from 'node:fs';
import { join } from 'node:path';

import { isErrno } from '../errors.ts';
import type { Box } from './box.ts';
import { recordOf, type PlannedMail } from './commit-plan.ts';
import type { CommitTask } from './commit-task.ts';
import { flush } from './context.ts';
import { attempt, type Ownership } from './files.ts';
import { NOT_MANY, type Many } from './flusher.ts';
import type { Folder } from './folder.ts';
import { noteUidValidity } from './uidvalidity.ts';
import { printRecords, printUidlist, type Uidlist } from './uidlist.ts';
import { untoldAfter } from './untold-plan.ts';
import { uidNextOf } from './view.ts';
import type { Work } from './work.ts';

/** A uidlist up to this long is written anew rather than appended to: then bodies and records share one flush. */
const SHORT_UIDLIST = 2_000;

/**
 * Makes everything durable that must be before a mail can come to its place.
 * @param early whether the bodies are durable already
 * @returns the uidlist as it is then
 */
export async function prepare(task: CommitTask, early: boolean): Promise<Uidlist> {
  const { box, work, plan, view, undo } = task;
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
  if (!changesUidlist(task)) {
    await flush(context, durable, many);
    return view.uidlist;
  }
  const rewrite = work.rebuild !== null || guid !== undefined || uidValidity !== undefined || mustRewrite(task);
  if (rewrite) return await rewriteUidlist(task, owner, { durable, many });
  await flush(context, durable, many);
  const records = plan.mails.map(recordOf);
  folder.appendUidlist(printRecords(records));
  await flush(context, [folder.uidlistFile]);
  return { ...view.uidlist, records: [...view.uidlist.records, ...records] };
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

function changesUidlist({ work, plan, view }: CommitTask): boolean {
  if (work.rebuild !== null || plan.mails.length > 0 || plan.renumbered.length > 0) return true;
  const { guid, uidValidity } = work.numbers;
  if (guid !== undefined && guid !== view.uidlist.guid) return true;
  if (uidValidity !== undefined && uidValidity !== view.uidlist.uidValidity) return true;
  return plan.uidNext > uidNextOf(view.uidlist);
}

function mustRewrite({ plan, view: { uidlist, files } }: CommitTask): boolean {
  const last = plan.mails.at(-1);
  if (last === undefined || plan.renumbered.length > 0 || uidlist.untidy || plan.uidNext > last.uid + 1) return true;
  const { length } = uidlist.records;
  return length <= SHORT_UIDLIST || plan.mails.length * 4 > length || files.size < length * 0.75;
}

/** @param first what must be durable before the new list counts */
async function rewriteUidlist(
  { box, work, plan, view, undo }: CommitTask,
  owner: Ownership,
  first: { readonly durable: readonly string[]; readonly many: Many },
): Promise<Uidlist> {
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
  const uidlist = {
    version: 3,
    uidValidity: work.numbers.uidValidity ?? work.rebuild?.uidValidity ?? view.uidlist.uidValidity,
    guid: work.numbers.guid ?? work.rebuild?.guid ?? view.uidlist.guid,
    uidNext: plan.uidNext,
    fields,
    records: records.toSorted((a, b) => a.uid - b.uid),
    untidy: false,
  } as const;
  folder.prepareUidlist(printUidlist(uidlist), owner);
  try {
    await flush(context, [...first.durable, next], first.many);
    if (work.rebuild !== null) dropIndexes(box);
    // Of added mails it does no harm if their records stay without them; the others would lose theirs.
    if (work.rebuild !== null || plan.renumbered.length > 0) keepFormer(folder, undo);
    fs.renameSync(next, folder.uidlistFile);
  } catch (cause) {
    attempt(() => fs.rmSync(next, { force: true }));
    throw cause;
  }
  return uidlist;
}

function keepFormer({ formerUidlistFile, uidlistFile }: Folder, undo: (() => void)[]): void {
  fs.rmSync(formerUidlistFile, { force: true });
  fs.linkSync(uidlistFile, formerUidlistFile);
  undo.push(() => fs.renameSync(formerUidlistFile, uidlistFile));
}

/** What Dovecot remembers of a mailbox that is made anew. */
export function dropIndexes(box: Box): void {
  const { index } = box.folder.places;
  let names: string[] = [];
  attempt(() => (names = fs.readdirSync(index)));
  for (const name of names) if (/^dovecot\.index(?:$|\.)/.test(name)) fs.rmSync(join(index, name), { force: true });
}
