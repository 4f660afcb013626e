/** The merge of one mailbox: from both sides' lists to both sides' plans. */
import { planBackup } from './backup.ts';
import { isFiltering } from './filter.ts';
import type { MailMerge, MailMergeContext, MailSide } from './mail-plan.ts';
import { unchangedPlan } from './plan-builder.ts';
import { planTwoWay } from './two-way.ts';

/**
 * Whether lists of changes since a common state are enough to plan from. A filter's held-back mails are in no list of
 * changes, and what changed in a backup's destination has to be put back to what only the source's complete list tells.
 */
export function mayUseCommon({ mode, filter }: Pick<MailMergeContext, 'mode' | 'filter'>): boolean {
  return mode !== 'backup' && !isFiltering(filter);
}

/**
 * Decides what each side has to do. Both ends call this for themselves, with the sides (and `source`, `localStarts`)
 * exchanged, and carry out `local`; the two results are the same plans, exchanged. Linear in the number of mails.
 * A common state with UID 0 says nothing: the lists are then taken for complete.
 * @throws {SyncError} `UidsExhausted` if new UIDs do not fit below 2^32; `Usage` for a filter's unknown flag
 */
export function planMails(local: MailSide, remote: MailSide, context: MailMergeContext): MailMerge {
  const common = context.common?.uid === 0 ? null : context.common;
  if (common !== null && !mayUseCommon(context)) return planAsTold(local, remote, { ...context, common });
  if (context.mode !== 'backup') return planTwoWay(local, remote, { ...context, common });
  const [source, destination] = context.source === 'local' ? [local, remote] : [remote, local];
  const { plan, equalAfter } = planBackup(source, destination, context);
  const unchanged = unchangedPlan(source);
  return context.source === 'local'
    ? { kind: 'plan', local: unchanged, remote: plan, equalAfter }
    : { kind: 'plan', local: plan, remote: unchanged, equalAfter };
}

/**
 * A plan from changes alone where complete lists would be better, but a Dovecot that started the run sends no more. A
 * filter's held-back mails then stay behind, as with two Dovecots; a backup's destination must not have changed itself,
 * since what it would have to put back is not in the source's list.
 */
function planAsTold(local: MailSide, remote: MailSide, context: MailMergeContext): MailMerge {
  if (context.evidence === 'record')
    return { kind: 'stale-state', reason: 'a backup and a mail filter need a full comparison' };
  if (context.mode !== 'backup') return planTwoWay(local, remote, context);
  const destination = context.source === 'local' ? remote : local;
  if (destination.mails.length + destination.expunges.length > 0)
    return { kind: 'stale-state', reason: 'the destination of the backup has changed since' };
  return planTwoWay(local, remote, { ...context, mode: 'one-way' });
}
