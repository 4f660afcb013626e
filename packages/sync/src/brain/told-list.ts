/** The own mails as a peer is told them: as they are, or with what keeps a Dovecot from expunging mails (mails/plan-safely.ts). */
import type { MessageOf, Uid } from '@dsync/protocol';
import type { MailboxChanges, MailFacts } from '@dsync/storage';

import { withoutEqual } from '../mails/equal-stretches.ts';
import type { HeaderHash } from '../mails/header-hash.ts';
import type { SafeMerge } from '../mails/plan-safely.ts';
import { privateModseqs } from '../mails/private-flags.ts';
import { isFiltering, needsFacts } from './handshake.ts';
import { type ChangeCollector, changeMessages, withShortGuids } from './mail-messages.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { heldBackIn } from './met-before.ts';
import { peerIsOurs, type Session } from './session.ts';

/** A list and what is told with each of its mails. */
export interface ToldList {
  readonly changes: MailboxChanges;
  /** Received dates and sizes; null: the filter does not need them. */
  readonly facts: ReadonlyMap<Uid, MailFacts> | null;
  /** null: GUIDs count. */
  readonly hashes: ReadonlyMap<Uid, HeaderHash> | null;
}

/** Whether the peer's list has to be waited for. A Dovecot that is told nothing that could make it expunge a mail is told at once: where no UID is without its mail, none is missing. */
export function mustHearFirst(session: Session, talk: MailboxTalk): boolean {
  const { common, ours, theirs } = talk;
  if ([ours, theirs].every(({ messages, uidNext }) => messages === uidNext - 1)) return false;
  if (!session.channel.peer.isDovecot || common !== null) return false;
  return isFiltering(session.rules.filter) || heldBackIn(session, talk) !== null;
}

/** The messages of a list. */
export function listMessages(
  { rules, channel }: Session,
  { common, equal, privateFlags }: MailboxTalk,
  { changes, facts, hashes }: ToldList,
): Generator<MessageOf<'mailChange'>> {
  // A Dovecot that a backup reverts, or that looks for dates, dies of an expunge in the list; that the mail is not in the
  // list tells it the same.
  const isDeadly = rules.mode === 'backup' || needsFacts(rules.filter);
  const keepsSilent = isDeadly && channel.peer.isDovecot && common === null;
  const told = keepsSilent ? { ...changes, expunges: [] } : peerIsOurs(channel) ? changes : withShortGuids(changes);
  const modseqs = privateFlags === null ? null : privateModseqs(privateFlags).mails;
  return changeMessages(withoutEqual(told, equal), common?.lastCommonUid ?? 0, facts, modseqs, hashes);
}

/** The list with stand-ins for the peer's mails that it must not take for expunged, and own mails under the UIDs of `moves`. */
export function safeList(
  own: ToldList,
  theirs: ChangeCollector,
  { standIns, moves }: Pick<Extract<SafeMerge, { kind: 'plan' }>, 'standIns' | 'moves'>,
): ToldList {
  if (standIns.length + moves.size === 0) return own;
  const stands = new Set<Uid>(standIns.map(({ uid }) => uid));
  const absent = theirs.mails.filter(({ uid }) => stands.has(uid));
  const here = own.changes.mails.map((mail) => ({ ...mail, uid: moves.get(mail.uid) ?? mail.uid }));
  const mails = [...here, ...absent].sort((a, b) => a.uid - b.uid);
  const expunges = own.changes.expunges.filter(({ uid }) => !stands.has(uid));
  const facts = own.facts && new Map(own.facts);
  for (const [uid, fact] of theirs.facts) if (stands.has(uid)) facts?.set(uid, fact);
  const hashes = own.hashes && new Map(own.hashes);
  for (const { uid, headerHash = '' } of theirs.announced)
    if (stands.has(uid)) hashes?.set(uid, { usual: headerHash, others: [] });
  for (const [from, to] of moves) {
    const [fact, hash] = [own.facts?.get(from), own.hashes?.get(from)];
    if (fact !== undefined) facts?.set(to, fact);
    if (hash !== undefined) hashes?.set(to, hash);
  }
  return { changes: { ...own.changes, mails, expunges }, facts, hashes };
}
