/** Where stretches of UIDs that both sides have alike are left out of the lists (mails/equal-stretches.ts). */
import { type MessageOf, ProtocolError } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import {
  type EqualStretches,
  equalStretches,
  isIn,
  LEAST_MAILS,
  stretchBits,
  withEqualMails,
} from '../mails/equal-stretches.ts';
import { identityOf } from '../mails/identity.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { provenEqual } from './announce-mailbox.ts';
import { needsFacts } from './handshake.ts';
import { peerIsOurs, type Session } from './session.ts';

/** Not where a user wants everything to be compared, nor where a filter needs more of each mail. */
export function mayTellStretches({ rules, channel, common, onlyAsks }: Session): boolean {
  const { algorithm, dryRun, filter } = rules;
  return (
    peerIsOurs(channel) && algorithm === 'changed' && common === null && !dryRun && !onlyAsks && !needsFacts(filter)
  );
}

/** Whether it pays, as far as the trees tell. */
export function paysToTell(session: Session, { local, remote }: MergedMailbox): boolean {
  if (local === undefined || remote === undefined || !mayTellStretches(session)) return false;
  return (
    Math.min(local.messages, remote.messages) >= LEAST_MAILS &&
    local.uidValidity === remote.uidValidity &&
    !provenEqual(local, remote)
  );
}

/** What both sides have alike, which they conclude from the same two messages; null: everything is told. */
export function agreedStretches(
  { rules }: Session,
  ours: MessageOf<'mailbox'>,
  theirs: MessageOf<'mailbox'>,
): EqualStretches | null {
  if (ours.stretches === undefined || theirs.stretches === undefined) return null;
  // UIDs that do not correspond, or mails that are not recognised by their GUIDs.
  if (ours.uidValidity !== theirs.uidValidity || identityOf(rules.localIs, ours, theirs) !== 'guid') return null;
  const { uidNext } = rules.role === 'master' ? ours : theirs;
  return equalStretches(ours.stretches, theirs.stretches, stretchBits(uidNext));
}

/**
 * The peer's whole list.
 * @param own whole list
 * @throws {ProtocolError} `BadValue` if the peer tells of a mail that it has said to be alike
 */
export function wholeListOf(
  told: readonly MailRecord[],
  own: readonly MailRecord[],
  { equal, theirs }: { readonly equal: EqualStretches | null; readonly theirs: MessageOf<'mailbox'> },
): readonly MailRecord[] {
  if (equal === null) return told;
  const twice = told.find(({ uid }) => isIn(equal, uid));
  if (twice !== undefined)
    throw new ProtocolError('BadValue', `the peer tells of UID ${twice.uid}, which both sides have alike`);
  return withEqualMails(told, own, equal, theirs.highestModseq);
}
