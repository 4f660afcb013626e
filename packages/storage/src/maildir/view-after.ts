import type { CommitTask } from './commit-task.ts';
import { parseFileName } from './file-name.ts';
import type { FoundMail, Stamp } from './folder.ts';
import type { Uidlist } from './uidlist.ts';
import { isNumbered, type View } from './view.ts';

/**
 * The mailbox after a commit that only added mails, as the next block of a first copy would read it; null after any
 * other.
 * @param stamp sealed
 */
export function viewAfter({ work, plan, view }: CommitTask, uidlist: Uidlist, stamp: Stamp): View | null {
  const others = work.copied.length + plan.renames.length + plan.renumbered.length + plan.expunged.length;
  if (work.rebuild !== null || others > 0) return null;
  const files = new Map<string, FoundMail>(view.files);
  for (const { base, at } of plan.mails) {
    const name = parseFileName(at.slice(4));
    if (name !== null) files.set(base, { ...name, at });
  }
  const after = { stamp, settled: true, uidlist, letters: plan.letters, files };
  return isNumbered(after) ? after : null;
}
