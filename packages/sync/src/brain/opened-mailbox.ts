/** A mailbox as one conversation has it: open, locked, with its numbers and what is to be told of it. */
import type { MailboxGuid, MessageOf } from '@dsync/protocol';
import type { Mailbox, MailboxChanges } from '@dsync/storage';

import { digestStretches, stretchBits } from '../mails/equal-stretches.ts';
import { largerModseq } from '../mails/plan-builder.ts';
import { mayUseCommon } from '../mails/plan-mails.ts';
import type { MailboxSyncState } from '../state/sync-state.ts';
import type { MergedMailbox } from '../tree/tree-plan.ts';
import { mailboxMessage } from './announce-mailbox.ts';
import { changesSince, changesSinceMet, everythingIn, NO_CHANGES } from './changes-since.ts';
import { hasChanged, isApart, metBefore } from './met-before.ts';
import { emptyView, type MailboxView, viewOf } from './mailbox-view.ts';
import { type Announced, highestPrivateModseq } from './private-talk.ts';
import { peerIsOurs, type Session } from './session.ts';

/** Seconds to wait for another synchroniser in the same mailbox, unless `-l` says otherwise. */
const MAILBOX_LOCK_SECONDS = 30;

/** A Dovecot that starts a run with a state sends changes alone, and expects no more, whatever else it asks for. */
export function usesCommon({ rules, channel }: Session): boolean {
  return mayUseCommon(rules) || (rules.role === 'slave' && !peerIsOurs(channel));
}

/** A mailbox that is open and locked for one conversation. */
export class OpenedMailbox implements AsyncDisposable {
  readonly view: MailboxView;
  /** null: a dry run's mailbox that is yet to be made. */
  readonly mailbox: Mailbox | null;
  readonly message: MessageOf<'mailbox'>;
  readonly common: MailboxSyncState | null;
  /** Changes since the common state; without one everything if it was asked for already, else nothing. */
  readonly changes: MailboxChanges;
  /** Why the common state does not hold on this side. */
  readonly stale: string | null;
  /** Others made the common state: what changed before it may be among the changes. */
  readonly isForeign: boolean;
  readonly #lock: AsyncDisposable | null;

  private constructor(
    fields: Pick<OpenedMailbox, 'view' | 'mailbox' | 'message' | 'common' | 'changes' | 'stale'> & {
      readonly isForeign?: boolean;
    },
    lock: AsyncDisposable | null,
  ) {
    this.view = fields.view;
    this.mailbox = fields.mailbox;
    this.message = fields.message;
    this.common = fields.common;
    this.changes = fields.changes;
    this.stale = fields.stale;
    this.isForeign = fields.isForeign === true;
    this.#lock = lock;
  }

  /**
   * In a dry run the mailbox may have another GUID yet, or be yet to be made.
   * @param theirs the peer's announcement; null: it answers ours
   * @returns null if there is no such mailbox
   */
  static async of(
    session: Session,
    guid: MailboxGuid,
    merged: MergedMailbox | undefined,
    bits: StretchBits,
    theirs: Announced,
  ): Promise<OpenedMailbox | null> {
    const { store, rules } = session;
    const presentGuid = rules.dryRun ? guidNow(session, merged) : guid;
    const mailbox = presentGuid === undefined ? null : await store.openMailbox(presentGuid);
    if (mailbox === null) {
      if (!rules.dryRun || merged === undefined) return null;
      const view = emptyView(merged.localPath, guid, merged.remote?.uidValidity ?? 1);
      return await OpenedMailbox.#with(session, guid, view, null, null, null, theirs);
    }
    const seconds = rules.lockTimeout > 0 ? rules.lockTimeout : MAILBOX_LOCK_SECONDS;
    let lock: AsyncDisposable | null = null;
    try {
      // A dry run changes nothing, so it keeps nobody out.
      lock = rules.dryRun ? null : await mailbox.lock(seconds * 1000);
      return await OpenedMailbox.#with(session, guid, viewOf(mailbox), mailbox, lock, bits, theirs);
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
    theirs: Announced,
  ): Promise<OpenedMailbox> {
    const present = await view.status();
    const would = session.rules.dryRun ? session.notes.renumbered.get(guid) : undefined;
    const status = would === undefined ? present : { ...present, uidValidity: would.uidValidity };
    const known = session.common?.get(guid);
    // UID 0 says that nothing is known to be common: the lists have to be complete, older expunges included.
    const common = known !== undefined && known.lastCommonUid > 0 && usesCommon(session) ? known : null;
    const highestPrivate = await highestPrivateModseq(session, guid, { view, status }, theirs);
    const numbers = mailboxMessage(guid, status, session.store.capabilities, highestPrivate);
    const differs = session.notes.renumbered.has(guid) || hasChanged(session, guid, status);
    // Nobody has that number, so a Dovecot will not find the mailbox equal, and it raises nothing there.
    const message = differs ? { ...numbers, firstRecentUid: 0 } : numbers;
    if (common !== null) {
      if (isApart(session, guid))
        return new OpenedMailbox({ view, mailbox, message, common, changes: NO_CHANGES, stale: APART }, lock);
      const met = metBefore(session.met, guid, common);
      if (met !== null) {
        // A Dovecot believes no state with a modseq that its peer has not reached.
        const raised = { ...message, highestModseq: largerModseq(message.highestModseq, common.lastCommonModseq) };
        const since = await changesSinceMet(session, view, status, common, {
          met,
          hasPrivate: message.highestPrivateModseq > 0n,
        });
        return new OpenedMailbox({ view, mailbox, message: raised, common, ...since, isForeign: true }, lock);
      }
      const { changes, stale } = await changesSince(view, status, common);
      return new OpenedMailbox({ view, mailbox, message, common, changes, stale }, lock);
    }
    const fields = { view, mailbox, common, stale: null };
    if (bits === null) return new OpenedMailbox({ ...fields, message, changes: NO_CHANGES }, lock);
    const changes = await everythingIn(view);
    const stretches = digestStretches(changes.mails, bits === 'own' ? stretchBits(status.uidNext) : bits);
    return new OpenedMailbox({ ...fields, message: { ...message, stretches }, changes }, lock);
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
export type StretchBits = 'own' | number | null;

const APART = 'a filter has kept mails on one side since';
