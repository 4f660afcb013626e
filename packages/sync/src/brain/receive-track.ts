/** What this side hears in the conversation about one mailbox, and what becomes of it (mailbox-conversation.ts). */
import { ProtocolError, type MessageOf } from '@dsync/protocol';
import type { Attribute, MailboxChanges } from '@dsync/storage';

import { changesSinceTheirs } from '../mails/own-since.ts';
import type { RefusedKeywords } from '../mails/refused-keywords.ts';
import type { MailCounts } from '../report.ts';
import { receiveAttribute } from './attribute-messages.ts';
import { countMails, NO_MAILS } from './count-mails.ts';
import { refusedBy, type Exchange } from './exchange.ts';
import { factsNeeded } from './handshake.ts';
import { MailImport } from './mail-import.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { ChangeCollector } from './mail-messages.ts';
import { planAttributes } from './merge-attributes.ts';
import { foreseenDigest, lookupIn, type MergedLists, mergeLists, type OwnSide } from './merge-lists.ts';
import { expectApart } from './met-before.ts';
import { expectKind, receiveList } from './receive.ts';
import { receiveMails } from './receive-mails.ts';
import { peerIsOurs } from './session.ts';

/** Takes lists, requests, mails and the end. Waits for the send track only before it commits, when the peer has said all. */
export async function receiveTrack(exchange: Exchange): Promise<void> {
  const { session, talk, part, events } = exchange;
  if (part.receivesLists) await receiveLists(exchange);
  if (part.sendsMails) await receiveRequests(exchange);
  if (session.onlyAsks) expectKind(await talk.conversation.receive(), 'listEnd', 'mails that nobody asked for');
  events.applied.resolve(await applied(exchange));
  events.peerState.resolve(await receiveState(exchange));
}

/** Both lists make the plans: the send track may ask for mails from here on, and the import can begin. */
async function receiveLists(exchange: Exchange): Promise<void> {
  const { session, talk, facts, attributes, recognition, part, events, found } = exchange;
  const theirAttributes: Attribute[] = [];
  await receiveList(talk.conversation, 'attribute', 'attributes of a mailbox', async (message) => {
    theirAttributes.push(await receiveAttribute(message));
  });
  const theirs = new ChangeCollector(factsNeeded(session.rules.filter), recognition.byHeader, talk.common !== null);
  await receiveList(talk.conversation, 'mailChange', 'changes of a mailbox', (message) => theirs.add(message));
  const refused = refusedBy(session, theirs.mails);
  const own: OwnSide = { facts, attributes, recognition, lookup: await lookupIn(talk, refused) };
  const { common } = talk;
  found.changes = ownChanges(talk, theirs, refused);
  const merged = keeping(refused, await mergeLists(session, { ...talk, changes: found.changes }, own, theirs));
  await noteMerge(exchange, merged);
  const { plan } = merged;
  const changed = planAttributes(attributes, theirAttributes, {
    ...session.rules,
    commonModseq: common?.lastCommonModseq ?? null,
  });
  if (part.receivesMails && talk.mailbox !== null)
    found.incoming = await MailImport.begin(talk.mailbox, plan, changed, recognition.byHeader);
  found.digest = foreseenDigest(session, talk, own, merged, changed);
  found.plan = plan;
  events.planned.resolve(plan);
}

/** What is told to have changed here, now that the peer's list is known. */
function ownChanges(
  { changes, common, mayBeOlder, theirs: { highestModseq } }: MailboxTalk,
  theirs: ChangeCollector,
  refused: RefusedKeywords | null,
): MailboxChanges {
  const told = refused?.hideIn(changes) ?? changes;
  if (!mayBeOlder || common === null) return told;
  return { ...told, mails: changesSinceTheirs(told.mails, theirs.mails, common.lastCommonUid, highestModseq) };
}

/** With the own keywords that the merge was not shown. */
function keeping(refused: RefusedKeywords | null, merged: MergedLists): MergedLists {
  return refused === null ? merged : { ...merged, plan: refused.keepIn(merged.plan) };
}

async function noteMerge({ session, talk, found }: Exchange, merged: MergedLists): Promise<void> {
  if (merged.kind === 'stale-state') {
    found.stale = merged.reason;
    found.privateFlags = null;
    return;
  }
  const { plan, theirPlan, equalAfter, told, moves, apart } = merged;
  found.apart = apart;
  found.moves = moves;
  await expectApart(session, talk.ours.mailboxGuid, apart);
  found.list = told;
  const { rules, observer, channel } = session;
  const { path } = talk.view;
  // Whether the state was one of this store is not known: the next run looks at all of the mailbox.
  found.equalAfter = equalAfter && !talk.mayBeOlder;
  found.privateFlags = merged.privateFlags;
  if (rules.dryRun) found.plans = { local: plan.operations, remote: theirPlan.operations };
  if (!peerIsOurs(channel)) found.remoteCounts = countMails(theirPlan.operations);
  for (const operation of plan.operations) observer.mailOperation?.('local', path, operation);
  for (const operation of theirPlan.operations) observer.mailOperation?.('remote', path, operation);
}

async function receiveRequests({ session, talk, part, events, found }: Exchange): Promise<void> {
  const requests: MessageOf<'mailRequest'>[] = [];
  await receiveList(talk.conversation, 'mailRequest', 'requests for mails', (message) => {
    requests.push(message);
  });
  events.requested.resolve(requests);
  // What else a Dovecot does is known only to who has its list too.
  if (!part.receivesLists && !peerIsOurs(session.channel)) found.remoteCounts = { ...NO_MAILS, saved: requests.length };
}

/** Takes the mails that were asked for, and commits. */
async function applied({ session, talk, events, found }: Exchange): Promise<MailCounts> {
  if (found.incoming === null) return NO_MAILS;
  const { counts, isWhole } = await receiveMails(session, talk, found.incoming, events.sent.promise);
  if (!isWhole) found.equalAfter = false;
  return counts;
}

async function receiveState({ session, talk, found }: Exchange): Promise<MessageOf<'mailboxState'>> {
  const state = expectKind(await talk.conversation.receive(), 'mailboxState', 'end of a mailbox');
  if (state.mailboxGuid !== talk.ours.mailboxGuid)
    throw new ProtocolError('Unexpected', 'the peer ended another mailbox than this one');
  if (state.changesDuringSync) session.notes.unexpected.push('Remote notified that changes happened during sync');
  const [saved = 0, copied = 0, flagged = 0, expunged = 0, renumbered] = state.applied ?? [];
  if (renumbered !== undefined) found.remoteCounts = { saved, copied, flagged, expunged, renumbered };
  return state;
}
