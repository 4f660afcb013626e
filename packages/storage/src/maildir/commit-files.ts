/** The steps of a commit behind its records: mails come to their places, flags change, mails go. */
import fs from 'node:fs';

import { isErrno } from '../errors.ts';
import type { Box } from './box.ts';
import type { CommitPlan } from './commit-plan.ts';
import { dropIndexes } from './commit-records.ts';
import type { CommitTask } from './commit-task.ts';
import { baseAt } from './file-name.ts';
import type { View } from './view.ts';

/** What came of it. */
export interface Carried {
  /** Mails that were to be flagged or renamed, but somebody else was quicker. */
  readonly skipped: ReadonlySet<number>;
  /** The mail files that must be there now, `cur/…` or `new/…`, by their base names. */
  readonly places: ReadonlyMap<string, string>;
  readonly asPlanned: boolean;
}

/** Renames and removes files; the caller makes that durable. */
export function carryOut({ box, work, plan, view, undo }: CommitTask): Carried {
  const { folder, context } = box;
  const places = new Map<string, string>();
  for (const [base, { at }] of view.files) places.set(base, at);
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
    places.set(base, at);
    context.checkpoint('mail');
  }
  for (const { uid, from, to } of plan.renames) {
    if (from === to || tryMove(move, from, to)) {
      places.set(baseAt(to), to);
      continue;
    }
    skipped.add(uid);
    asPlanned = false;
  }
  // From here on nothing can be taken back, and nothing needs room on the disk.
  const doomed = work.rebuild === null ? plan.expunged.map(({ name }) => name) : leftOver(plan, view);
  for (const name of doomed) {
    remove(box, name);
    places.delete(baseAt(name));
    context.checkpoint('expunge');
  }
  if (work.rebuild !== null) dropIndexes(box);
  return { skipped, places, asPlanned };
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
  const base = baseAt(name);
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
