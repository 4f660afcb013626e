/** One mailbox from its announcement to its end: opening, deciding, talking. For both roles. */
import type { Conversation, MailboxGuid, MailboxPath, MessageOf } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';

import { stretchBits } from '../mails/equal-stretches.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { asAnnounced, canSkip, equalState, missingMessage } from './announce-mailbox.ts';
import { askForMailbox } from './dry-run.ts';
import { talkAboutMailbox } from './mailbox-conversation.ts';
import { noteEqual, noteMet, wouldExpunge } from './met-before.ts';
import { OpenedMailbox, usesCommon } from './opened-mailbox.ts';
import { keepPrivateFlags, privateFlagsOf } from './private-talk.ts';
import { expectKind } from './receive.ts';
import { peerIsOurs, type Session } from './session.ts';
import { agreedStretches, mayTellStretches, paysToTell } from './tell-stretches.ts';

/** The master's part: announces the mailbox and synchronises it, unless both sides find it equal. */
export async function announceMailbox(session: Session, merged: MergedMailbox): Promise<void> {
  if (wouldExpunge(session, merged.guid)) return noteLeftOut(session, merged.localPath);
  const bits = paysToTell(session, merged) ? 'own' : null;
  await using opened = await OpenedMailbox.of(session, merged.guid, merged, bits, null);
  // Gone since the tree was read: the next run tells the other side.
  if (opened === null) return;
  if (opened.stale !== null) return noteStale(session, merged.localPath, opened.stale);
  const { conversation, theirs } = session.onlyAsks
    ? await askForMailbox(session, opened.message, merged)
    : await announce(session, opened.message);
  if (theirs.ignore) return;
  if (theirs.lost) {
    session.notes.unexpected.push(`Remote lost mailbox GUID ${merged.guid} (maybe it was just deleted?)`);
    session.notes.requireFullResync = true;
    return;
  }
  await converse(session, opened, conversation, theirs);
}

async function announce(
  { channel }: Session,
  ours: MessageOf<'mailbox'>,
): Promise<{ readonly conversation: Conversation; readonly theirs: MessageOf<'mailbox'> }> {
  const conversation = channel.openMailbox();
  await conversation.send(ours);
  const theirs = expectKind(await conversation.receive(), 'mailbox', 'answer to a mailbox');
  if (theirs.mailboxGuid !== ours.mailboxGuid)
    throw new ProtocolError('Unexpected', 'the peer answered with another mailbox');
  return { conversation, theirs };
}

/** The slave's part: answers the announcement that comes first on the conversation. */
export async function answerMailbox(
  session: Session,
  conversation: Conversation,
  mergedByGuid: ReadonlyMap<MailboxGuid, MergedMailbox>,
): Promise<void> {
  const theirs = expectKind(await conversation.receive(), 'mailbox', 'announcement of a mailbox');
  const guid = theirs.mailboxGuid;
  const merged = mergedByGuid.get(guid);
  if (merged !== undefined && wouldExpunge(session, guid)) {
    noteLeftOut(session, merged.localPath);
    // With nothing else does a Dovecot end with status 2.
    await conversation.send(missingMessage(guid, 'lost'));
    return await session.channel.flush();
  }
  // Who announces a mailbox decides whether stretches are told, and how the UIDs are cut.
  const bits = theirs.stretches !== undefined && mayTellStretches(session) ? stretchBits(theirs.uidNext) : null;
  await using opened = await OpenedMailbox.of(session, guid, merged, bits, theirs);
  if (opened === null || opened.stale !== null) {
    const ignore = session.rules.mode === 'one-way' && session.rules.localIs === 'source';
    if (opened?.stale) noteStale(session, opened.view.path, opened.stale);
    else if (!ignore) session.notes.unexpected.push(`Mailbox GUID ${guid} was lost`);
    await conversation.send(missingMessage(guid, ignore ? 'ignore' : 'lost'));
    return await session.channel.flush();
  }
  await conversation.send(opened.message);
  await converse(session, opened, conversation, theirs);
}

async function converse(
  session: Session,
  opened: OpenedMailbox,
  conversation: Conversation,
  theirs: MessageOf<'mailbox'>,
): Promise<void> {
  const { rules, notes } = session;
  const ours = opened.message;
  const isEqual = canSkip({ ...rules, dryRun: rules.dryRun && !session.onlyAsks }, ours, theirs);
  if (isEqual) notes.state.set(ours.mailboxGuid, equalState(ours, theirs));
  // Who is only asked does not know our numbers, and tells its mails whatever they are.
  if (isEqual && !session.onlyAsks) {
    noteEqual(session, ours, theirs);
    return await session.channel.flush();
  }
  // UIDs that do not correspond make the common state worthless; both sides see that from the two messages.
  const usable =
    ours.uidValidity === theirs.uidValidity && usesCommon(session) && (opened.common?.lastCommonUid ?? 0) > 0;
  const common = usable ? opened.common : null;
  const listed = common === null ? await opened.everything() : opened.changes;
  const changes = peerIsOurs(session.channel) ? listed : asAnnounced(listed, ours);
  const outcome = await talkAboutMailbox(session, {
    conversation,
    view: opened.view,
    mailbox: rules.dryRun ? null : opened.mailbox,
    ours: session.onlyAsks ? { ...ours, mailboxGuid: theirs.mailboxGuid } : ours,
    theirs,
    common,
    changes,
    privateFlags: privateFlagsOf(session, ours, theirs, { changes, isWhole: common === null }),
    mayBeOlder: common !== null && opened.isForeign,
    equal: common === null ? agreedStretches(session, ours, theirs) : null,
  });
  if (isEqual) return;
  notes.mailboxes.push({ ...outcome.report, guid: ours.mailboxGuid });
  await noteMet(session, opened, outcome);
  if (outcome.privateFlags !== null) await keepPrivateFlags(session, ours.mailboxGuid, outcome.privateFlags);
  if (outcome.stale !== null) noteMismatch(session, opened.view.path, outcome.stale);
  if (outcome.state === null) notes.requireFullResync = true;
  else notes.state.set(ours.mailboxGuid, outcome.state);
}

function noteLeftOut(session: Session, path: MailboxPath): void {
  warn(
    session,
    `Mailbox ${path.join('/')} is left out: mails that a filter has kept at the other side would be expunged there (run a sync of both ways without a filter first)`,
  );
}

function noteMismatch(session: Session, path: MailboxPath, reason: string): void {
  warn(
    session,
    `Mailbox ${path.join('/')} doesn't match previous state: ${reason} (dsync must be run again without the state)`,
  );
}

function noteStale(session: Session, path: MailboxPath, reason: string): void {
  const name = path.join('/');
  session.notes.requireFullResync = true;
  warn(
    session,
    `Failed to do incremental sync for mailbox ${name}, retry with a full sync (${reason})`,
    `Incremental sync failed: ${name}: ${reason}`,
  );
}

/** @param unexpected why the run is not complete, in its last words */
function warn({ notes, observer }: Session, text: string, unexpected: string = text): void {
  notes.warnings.push(text);
  notes.unexpected.push(unexpected);
  observer.warning?.(text);
}
