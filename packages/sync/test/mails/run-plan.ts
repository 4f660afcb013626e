/** Runs of the planner on model mailboxes, as the two ends of a session would do them. */
import { expect } from '@jest/globals';

import type { MailMerge, MailMergeContext } from '../../src/mails/mail-plan.ts';
import { planMails } from '../../src/mails/plan-mails.ts';
import type { ModelMailbox } from './model-mailbox.ts';

/** A full two-way run that the local side has started. */
export const TWO_WAY: MailMergeContext = {
  mode: 'two-way',
  source: 'local',
  localStarts: true,
  common: null,
  filter: {},
  evidence: 'record',
};

/** A merge that was possible. */
export type PlannedMerge = Extract<MailMerge, { kind: 'plan' }>;

/** The same run as the other end sees it. */
export function swapped(context: MailMergeContext): MailMergeContext {
  return { ...context, source: context.source === 'local' ? 'remote' : 'local', localStarts: !context.localStarts };
}

/** Both plans, made by both ends on their own; they must agree. */
export function plan(a: ModelMailbox, b: ModelMailbox, context: MailMergeContext): MailMerge {
  const since = context.common ?? undefined;
  const merge = planMails(a.side(since), b.side(since), context);
  const theirs = planMails(b.side(since), a.side(since), swapped(context));
  if (merge.kind === 'plan' && theirs.kind === 'plan') {
    expect(theirs.local).toEqual(merge.remote);
    expect(theirs.remote).toEqual(merge.local);
    expect(theirs.equalAfter).toBe(merge.equalAfter);
  } else expect(theirs).toEqual(merge);
  return merge;
}

/** One run; with a common state that does not hold, in full instead. */
export function sync(a: ModelMailbox, b: ModelMailbox, context: MailMergeContext): PlannedMerge {
  const merge = plan(a, b, context);
  if (merge.kind === 'stale-state') return sync(a, b, { ...context, common: null });
  const beforeA = a.copy();
  const beforeB = b.copy();
  a.apply(merge.local, beforeB);
  b.apply(merge.remote, beforeA);
  return merge;
}
