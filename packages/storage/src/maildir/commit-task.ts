import type { Box } from './box.ts';
import type { CommitPlan } from './commit-plan.ts';
import type { View } from './view.ts';
import type { Work } from './work.ts';

/** A commit under way, as its steps share it: under the box's mutex and Dovecot's lock. */
export interface CommitTask {
  readonly box: Box;
  readonly work: Work;
  readonly plan: CommitPlan;
  /** The mailbox before it. */
  readonly view: View;
  /** What takes back what was done so far, to be called from the last to the first. */
  readonly undo: (() => void)[];
}
