/** Own changes since a common state, and why the state cannot hold. */
import type { Modseq } from '@dsync/protocol';
import type { MailboxChanges, MailboxStatus } from '@dsync/storage';

import { accountsForAll } from '../mails/own-since.ts';
import { mayUseCommon } from '../mails/plan-mails.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import { staleReason } from './announce-mailbox.ts';
import type { MailboxView } from './mailbox-view.ts';
import type { Session } from './session.ts';

/** Changes since a common state, or why it cannot be used (then there are none). */
export interface ChangesSince {
  readonly changes: MailboxChanges;
  /** Why the state does not hold; null: nothing speaks against it. */
  readonly stale: string | null;
}

/** An empty list. */
export const NO_CHANGES: MailboxChanges = { mails: [], expunges: [] };

/** The whole list of a mailbox, with all that its history has. */
export async function everythingIn(view: MailboxView): Promise<MailboxChanges> {
  return (await view.changes(null)) ?? NO_CHANGES;
}

/** What has changed here since the common state; it is stale too if the own history does not reach back to it. */
export async function changesSince(
  view: MailboxView,
  status: MailboxStatus,
  common: MailboxSyncState,
): Promise<ChangesSince> {
  const stale = staleReason(common, status);
  return stale === null ? await read(view, common, common.lastCommonModseq) : { changes: NO_CHANGES, stale };
}

/**
 * The same for a state that others made on this store, with modseqs that mean nothing here: all that has changed since this
 * side last met its peer, which may have been before. That will do where both sides merge what they have; what a source has
 * is told as it is. Private flags have modseqs of their own that nothing is known of.
 * @param met the own modseq then
 * @param hasPrivate whether the peer has such flags in this mailbox
 */
export async function changesSinceMet(
  { rules }: Session,
  view: MailboxView,
  status: MailboxStatus,
  common: MailboxSyncState,
  { met, hasPrivate }: { readonly met: Modseq; readonly hasPrivate: boolean },
): Promise<ChangesSince> {
  if (hasPrivate || rules.mode !== 'two-way' || !mayUseCommon(rules)) return { changes: NO_CHANGES, stale: FOREIGN };
  const stale = staleReason({ ...common, lastCommonModseq: met }, status);
  if (stale !== null) return { changes: NO_CHANGES, stale };
  const since = await read(view, common, met);
  if (since.stale !== null) return since;
  const all = await everythingIn(view);
  const state = { uid: common.lastCommonUid, messages: common.messages };
  return accountsForAll(all, state, met) ? since : { changes: NO_CHANGES, stale: FOREIGN };
}

const FOREIGN = 'the state was made by other programs since this side has last met its peer';

async function read(view: MailboxView, { lastCommonUid }: MailboxSyncState, modseq: Modseq): Promise<ChangesSince> {
  const changes = await view.changes({ uid: lastCommonUid, modseq });
  if (changes !== null) return { changes, stale: null };
  return { changes: NO_CHANGES, stale: `the history does not reach back to modseq ${modseq}` };
}
