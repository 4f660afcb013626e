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

import { StoreError } from '../errors.ts';
import { applySync, type MailboxMemory, type SyncChanges } from '../journal/apply-sync.ts';
import type { JournalHead } from '../journal/journal.ts';
import type { CommitResult } from '../mail-store.ts';
import type { Box } from './box.ts';
import { carryOut, type Carried } from './commit-files.ts';
import { planCommit, type CommitPlan, type PlannedMail } from './commit-plan.ts';
import { prepare } from './commit-records.ts';
import type { CommitTask } from './commit-task.ts';
import { flush } from './context.ts';
import { attempt } from './files.ts';
import type { Many } from './flusher.ts';
import { sealed } from './seal.ts';
import { viewAfter } from './view-after.ts';
import type { Uidlist } from './uidlist.ts';
import type { Work } from './work.ts';

/** With more than this in tmp/ the bodies are flushed before the lock is taken, so that it is not held for long. */
const FLUSH_EARLY_BYTES = 4_000_000;
const FLUSH_EARLY_MAILS = 500;

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
  folder.makeMissing(folder.ownership());
  const view = await box.viewLocked();
  const memory = box.memory();
  const plan = planCommit(work, view, memory, context.clock);
  const task: CommitTask = { box, work, plan, view, undo: [] };
  let uidlist: Uidlist;
  let carried: Carried;
  try {
    uidlist = await prepare(task, early);
    context.checkpoint('records');
    carried = carryOut(task);
  } catch (cause) {
    for (const step of task.undo.toReversed()) attempt(step);
    throw StoreError.from(cause, `cannot write to ${box.print}`);
  }
  context.checkpoint('files');
  if (work.rebuild !== null || plan.renumbered.length > 0)
    attempt(() => fs.rmSync(folder.formerUidlistFile, { force: true }));
  const stamp = carried.asPlanned ? sealed(folder, carried.places) : null;
  await flush(context, [folder.path('cur'), folder.path('new'), folder.places.control, folder.uidlistFile]);
  context.checkpoint('durable');
  // Still under the lock: another process that looks now would take what we did for a user's doing.
  const changes = { ...changesOf(work, plan, carried), fingerprint: stamp?.text ?? '' };
  await box.noting(async () => {
    const step = applySync(box.memory(), changes);
    await context.journal.write([box.isUnwritten ? { ...step, before: null } : step]);
    box.committed(step.head, stamp === null ? null : viewAfter(task, uidlist, stamp));
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
