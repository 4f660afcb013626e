/** One mailbox from its announcement to its end: opening, locking, deciding, talking. For both roles. */
import type { Conversation, MailboxGuid, MailboxPath, MessageOf } from '@dsync/protocol';
import { ProtocolError } from '@dsync/protocol';
import type { Mailbox, MailboxChanges, MailboxStatus } from '@dsync/storage';

import {
  digestStretches,
  type EqualStretches,
  equalStretches,
  LEAST_MAILS,
  stretchBits,
} from '../mails/equal-stretches.ts';
import { identityOf } from '../mails/identity.ts';
import { mayUseCommon } from '../mails/plan-mails.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { canSkip, equalState, mailboxMessage, missingMessage, provenEqual, staleReason } from './announce-mailbox.ts';
import { askForMailbox } from './dry-run.ts';
import { needsFacts } from './handshake.ts';
import { expectKind } from './mail-messages.ts';
import { talkAboutMailbox } from './mailbox-conversation.ts';
import { hasChanged, noteEqual, noteMet } from './met-before.ts';
import { emptyView, type MailboxView, viewOf } from './mailbox-view.ts';
import { peerIsOurs, type Session } from './session.ts';

/** Seconds to wait for another synchroniser in the same mailbox, unless `-l` says otherwise. */
const MAILBOX_LOCK_SECONDS = 30;

/** The master's part: announces the mailbox and synchronises it, unless both sides find it equal. */
export async function announceMailbox(session: Session, merged: MergedMailbox): Promise<void> {
  const bits = tellsStretches(session, merged) ? 'own' : null;
  await using opened = await Opened.of(session, merged.guid, merged, bits);
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
  // Who announces a mailbox decides whether stretches are told, and how the UIDs are cut.
  const bits = theirs.stretches !== undefined && mayTellStretches(session) ? stretchBits(theirs.uidNext) : null;
  await using opened = await Opened.of(session, guid, mergedByGuid.get(guid), bits);
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
  opened: Opened,
  conversation: Conversation,
  theirs: MessageOf<'mailbox'>,
): Promise<void> {
  const { rules, notes } = session;
  const ours = opened.message;
  const isEqual = canSkip({ ...rules, dryRun: rules.dryRun && !session.onlyAsks }, ours, theirs);
  if (isEqual) notes.state.set(ours.mailboxGuid, equalState(ours, theirs));
  // Who is only asked does not know our numbers, and tells its mails whatever they are.
  if (isEqual && !session.onlyAsks) {
    noteEqual(session, ours);
    return await session.channel.flush();
  }
  // UIDs that do not correspond make the common state worthless; both sides see that from the two messages.
  const usable =
    ours.uidValidity === theirs.uidValidity && usesCommon(session) && (opened.common?.lastCommonUid ?? 0) > 0;
  const common = usable ? opened.common : null;
  const changes = common === null ? await opened.everything() : opened.changes;
  const outcome = await talkAboutMailbox(session, {
    conversation,
    view: opened.view,
    mailbox: rules.dryRun ? null : opened.mailbox,
    ours: session.onlyAsks ? { ...ours, mailboxGuid: theirs.mailboxGuid } : ours,
    theirs,
    common,
    changes,
    equal: common === null ? stretchesOf(session, ours, theirs) : null,
  });
  if (isEqual) return;
  notes.mailboxes.push({ ...outcome.report, guid: ours.mailboxGuid });
  await noteMet(session, opened, outcome);
  if (outcome.stale !== null) noteMismatch(session, opened.view.path, outcome.stale);
  if (outcome.state === null) notes.requireFullResync = true;
  else notes.state.set(ours.mailboxGuid, outcome.state);
}

function noteMismatch(session: Session, path: MailboxPath, reason: string): void {
  const text = `Mailbox ${path.join('/')} doesn't match previous state: ${reason} (dsync must be run again without the state)`;
  session.notes.warnings.push(text);
  session.notes.unexpected.push(text);
  session.observer.warning?.(text);
}

function noteStale(session: Session, path: MailboxPath, reason: string): void {
  const name = path.join('/');
  const text = `Failed to do incremental sync for mailbox ${name}, retry with a full sync (${reason})`;
  session.notes.warnings.push(text);
  session.notes.unexpected.push(`Incremental sync failed: ${name}: ${reason}`);
  session.notes.requireFullResync = true;
  session.observer.warning?.(text);
}

/** Not where a user wants everything to be compared, nor where a filter needs more of each mail. */
function mayTellStretches({ rules, channel, common, onlyAsks }: Session): boolean {
  const { algorithm, dryRun, filter } = rules;
  return (
    peerIsOurs(channel) && algorithm === 'changed' && common === null && !dryRun && !onlyAsks && !needsFacts(filter)
  );
}

/** Whether it pays, as far as the trees tell. */
function tellsStretches(session: Session, { local, remote }: MergedMailbox): boolean {
  if (local === undefined || remote === undefined || !mayTellStretches(session)) return false;
  return (
    Math.min(local.messages, remote.messages) >= LEAST_MAILS &&
    local.uidValidity === remote.uidValidity &&
    !provenEqual(local, remote)
  );
}

function stretchesOf(
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

/** A Dovecot that starts a run with a state sends changes alone, and expects no more, whatever else it asks for. */
function usesCommon({ rules, channel }: Session): boolean {
  return mayUseCommon(rules) || (rules.role === 'slave' && !peerIsOurs(channel));
}

/** A mailbox that is open and locked for one conversation. */
class Opened implements AsyncDisposable {
  readonly view: MailboxView;
  /** null: a dry run's mailbox that is yet to be made. */
  readonly mailbox: Mailbox | null;
  readonly message: MessageOf<'mailbox'>;
  readonly common: MailboxSyncState | null;
  /** Changes since the common state; without one everything if it was asked for already, else nothing. */
  readonly changes: MailboxChanges;
  /** Why the common state does not hold on this side. */
  readonly stale: string | null;
  readonly #lock: AsyncDisposable | null;

  private constructor(
    fields: Pick<Opened, 'view' | 'mailbox' | 'message' | 'common' | 'changes' | 'stale'>,
    lock: AsyncDisposable | null,
  ) {
    this.view = fields.view;
    this.mailbox = fields.mailbox;
    this.message = fields.message;
    this.common = fields.common;
    this.changes = fields.changes;
    this.stale = fields.stale;
    this.#lock = lock;
  }

  /** null: there is no such mailbox. In a dry run it may have another GUID yet, or be yet to be made. */
  static async of(
    session: Session,
    guid: MailboxGuid,
    merged: MergedMailbox | undefined,
    bits: StretchBits,
  ): Promise<Opened | null> {
    const { store, rules } = session;
    const presentGuid = rules.dryRun ? guidNow(session, merged) : guid;
    const mailbox = presentGuid === undefined ? null : await store.openMailbox(presentGuid);
    if (mailbox === null) {
      if (!rules.dryRun || merged === undefined) return null;
      const view = emptyView(merged.localPath, guid, merged.remote?.uidValidity ?? 1);
      return await Opened.#with(session, guid, view, null, null, null);
    }
    const seconds = rules.lockTimeout > 0 ? rules.lockTimeout : MAILBOX_LOCK_SECONDS;
    let lock: AsyncDisposable | null = null;
    try {
      // A dry run changes nothing, so it keeps nobody out.
      lock = rules.dryRun ? null : await mailbox.lock(seconds * 1000);
      return await Opened.#with(session, guid, viewOf(mailbox), mailbox, lock, bits);
    } catch (error) {
      await lock?.[Symbol.asyncDispose]();
      await mailbox[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #with(
    session: Session,
    guid: MailboxGuid,
    view: MailboxView,
    mailbox: Mailbox | null,
    lock: AsyncDisposable | null,
    bits: StretchBits,
  ): Promise<Opened> {
    const present = await view.status();
    const would = session.rules.dryRun ? session.notes.renumbered.get(guid) : undefined;
    const status = would === undefined ? present : { ...present, uidValidity: would.uidValidity };
    const known = session.common?.get(guid);
    // UID 0 says that nothing is known to be common: the lists have to be complete, older expunges included.
    const common = known !== undefined && known.lastCommonUid > 0 && usesCommon(session) ? known : null;
    const numbers = mailboxMessage(guid, status, session.store.capabilities);
    const differs = session.notes.renumbered.has(guid) || hasChanged(session, guid, status);
    // Nobody has that number, so a Dovecot will not find the mailbox equal, and it raises nothing there.
    const message = differs ? { ...numbers, firstRecentUid: 0 } : numbers;
    if (common !== null) {
      const { changes, stale } = await changesSince(view, status, common);
      return new Opened({ view, mailbox, message, common, changes, stale }, lock);
    }
    if (bits === null) return new Opened({ view, mailbox, message, common, changes: NO_CHANGES, stale: null }, lock);
    const changes = await everythingIn(view);
    const stretches = digestStretches(changes.mails, bits === 'own' ? stretchBits(status.uidNext) : bits);
    return new Opened({ view, mailbox, message: { ...message, stretches }, common, changes, stale: null }, lock);
  }

  /** Every mail; as it was when its stretches were told. */
  async everything(): Promise<MailboxChanges> {
    return this.message.stretches === undefined ? await everythingIn(this.view) : this.changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]();
    await this.mailbox?.[Symbol.asyncDispose]();
  }
}

/** Before the GUIDs that a dry run would have changed. */
function guidNow({ notes }: Session, merged: MergedMailbox | undefined): MailboxGuid | undefined {
  const guid = merged?.local?.guid;
  return guid === undefined ? undefined : (notes.renumbered.get(guid)?.from ?? guid);
}

/** How UIDs are cut to stretches that are told: as our own numbers say, or the peer's; null: none are told. */
type StretchBits = 'own' | number | null;

const NO_CHANGES: MailboxChanges = { mails: [], expunges: [] };

async function everythingIn(view: MailboxView): Promise<MailboxChanges> {
  return (await view.changes(null)) ?? NO_CHANGES;
}

async function changesSince(
  view: MailboxView,
  status: MailboxStatus,
  common: MailboxSyncState,
): Promise<{ readonly changes: MailboxChanges; readonly stale: string | null }> {
  const stale = staleReason(common, status);
  if (stale !== null) return { changes: NO_CHANGES, stale };
  const changes = await view.changes({ uid: common.lastCommonUid, modseq: common.lastCommonModseq });
  if (changes === null)
    return { changes: NO_CHANGES, stale: `the history does not reach back to modseq ${common.lastCommonModseq}` };
  return { changes, stale: null };
}
