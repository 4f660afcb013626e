/** The two `mailbox` messages that open the conversation about one mailbox, and what both ends conclude from them. */
import type { MailboxGuid, MessageOf, Modseq } from '@dsync/protocol';
import type { MailboxChanges, MailboxStatus, StoreCapabilities } from '@dsync/storage';

import type { MailSide } from '../mails/mail-plan.ts';
import { type MailboxSyncState, nothingCommon } from '../state/sync-state.ts';
import type { SessionRules } from './handshake.ts';

/** The own numbers, under the GUID that both sides use for the mailbox. */
export function mailboxMessage(
  guid: MailboxGuid,
  status: MailboxStatus,
  capabilities: StoreCapabilities,
  highestPrivateModseq: Modseq,
): MessageOf<'mailbox'> {
  return {
    kind: 'mailbox',
    mailboxGuid: guid,
    uidValidity: status.uidValidity,
    uidNext: status.uidNext,
    messages: status.messages,
    firstRecentUid: status.firstRecentUid,
    highestModseq: status.highestModseq,
    highestPrivateModseq,
    cacheFields: '',
    haveGuids: true,
    ...(capabilities.keepsMailGuids ? { haveSaveGuids: true } : {}),
    ...(capabilities.onlyGuid128 ? { haveOnlyGuid128: true } : {}),
    ...(status.digest === '' ? {} : { digest: status.digest }),
  };
}

/** The answer for a mailbox that is not (or no longer) here: `lost` asks for another run, `ignore` does not. */
export function missingMessage(guid: MailboxGuid, how: 'lost' | 'ignore'): MessageOf<'mailbox'> {
  return {
    kind: 'mailbox',
    mailboxGuid: guid,
    uidValidity: 0,
    uidNext: 0,
    messages: 0,
    firstRecentUid: 0,
    highestModseq: 0n,
    highestPrivateModseq: 0n,
    cacheFields: '',
    ...(how === 'lost' ? { lost: true } : { ignore: true }),
  };
}

type Numbers = Pick<
  MessageOf<'mailbox'>,
  'uidValidity' | 'uidNext' | 'messages' | 'firstRecentUid' | 'highestModseq'
> & {
  readonly digest?: string;
};

/** Whether the contents are equal for certain: both ends sent a digest, and it and the numbers agree. */
export function provenEqual(a: Numbers, b: Numbers): boolean {
  return (
    Boolean(a.digest) &&
    a.digest === b.digest &&
    a.uidValidity === b.uidValidity &&
    a.uidNext === b.uidNext &&
    a.messages === b.messages
  );
}

/**
 * Whether nothing has to be done to make the \Recent state of both sides the same: who has shown more mails to a client
 * wins, and in a one-sided run only the destination learns it.
 */
export function recentSettled(
  rules: Pick<SessionRules, 'localIs'>,
  local: Pick<Numbers, 'firstRecentUid'>,
  remote: Pick<Numbers, 'firstRecentUid'>,
): boolean {
  if (rules.localIs === 'peer') return local.firstRecentUid === remote.firstRecentUid;
  const [source, destination] = rules.localIs === 'source' ? [local, remote] : [remote, local];
  return destination.firstRecentUid >= source.firstRecentUid;
}

/**
 * Whether the mailbox needs no look. Both ends conclude it from the same two messages, so they conclude the same.
 * Where a digest is missing, the six numbers decide as with Dovecot, which can overlook equally many changes on both
 * sides.
 */
export function canSkip(rules: SessionRules, ours: MessageOf<'mailbox'>, theirs: MessageOf<'mailbox'>): boolean {
  if (rules.algorithm !== 'changed' || rules.dryRun || !recentSettled(rules, ours, theirs)) return false;
  if (ours.digest !== undefined && theirs.digest !== undefined) return provenEqual(ours, theirs);
  return (
    ours.uidValidity === theirs.uidValidity &&
    ours.uidNext === theirs.uidNext &&
    ours.messages === theirs.messages &&
    ours.highestModseq === theirs.highestModseq &&
    ours.highestPrivateModseq === theirs.highestPrivateModseq &&
    ours.firstRecentUid === theirs.firstRecentUid
  );
}

/** The state of a mailbox that was found equal. Without proof the next stateful run looks at all of it. */
export function equalState(a: Numbers, b: Numbers): MailboxSyncState {
  const { uidValidity, uidNext, messages } = a;
  if (!provenEqual(a, b)) return nothingCommon(uidValidity);
  return {
    uidValidity,
    lastCommonUid: uidNext - 1,
    lastCommonModseq: a.highestModseq < b.highestModseq ? a.highestModseq : b.highestModseq,
    lastCommonPrivateModseq: 0n,
    messages,
  };
}

/**
 * A list without what has come since the numbers were told. A Dovecot gives the UIDs from the told UIDNEXT on to other mails,
 * and two mails under one UID are the end of it. The next run tells the rest.
 */
export function asAnnounced(changes: MailboxChanges, { uidNext }: Pick<Numbers, 'uidNext'>): MailboxChanges {
  const { mails, expunges } = changes;
  if ([mails, expunges].every((list) => (list.at(-1)?.uid ?? 0) < uidNext)) return changes;
  const isTold = ({ uid }: { readonly uid: number }): boolean => uid < uidNext;
  return { mails: mails.filter(isTold), expunges: expunges.filter(isTold) };
}

/** Why a common state cannot be used with these own numbers, which are below it: an older copy was put back. null: it can. */
export function staleReason(state: MailboxSyncState, status: MailboxStatus): string | null {
  if (status.uidNext <= state.lastCommonUid)
    return `UIDNEXT ${status.uidNext} is not above the last common UID ${state.lastCommonUid}`;
  if (status.highestModseq < state.lastCommonModseq) {
    return `HIGHESTMODSEQ ${status.highestModseq} is below the last common modseq ${state.lastCommonModseq}`;
  }
  return null;
}

/** What a merge has to know of a side besides its lists. */
export function sideNumbers(message: MessageOf<'mailbox'>): Omit<MailSide, 'mails' | 'expunges' | 'facts'> {
  const { uidValidity, uidNext, messages, highestModseq, firstRecentUid } = message;
  return { uidValidity, uidNext, messages, highestModseq, firstRecentUid };
}
