/** Private flags in a conversation: whether there are any, with which modseqs they are told, and what is remembered of them. */
import type { MailboxGuid, MessageOf, Modseq } from '@dsync/protocol';
import type { MailboxChanges, MailboxStatus, PrivateFlags } from '@dsync/storage';

import { observePrivate, samePrivate } from '../mails/private-flags.ts';
import { everythingIn, NO_CHANGES } from './changes-since.ts';
import type { MailboxView } from './mailbox-view.ts';
import type { Session } from './session.ts';

/** What the other end has said of the mailbox; null: nothing yet. */
export type Announced = Pick<MessageOf<'mailbox'>, 'highestPrivateModseq'> | null;

/**
 * What our announcement says; 0: no private flags. A Dovecot alone has such, and says so. Before it has said anything a
 * mailbox is taken to have them that had them when it was met last.
 */
export async function highestPrivateModseq(
  session: Session,
  guid: MailboxGuid,
  { view, status }: { readonly view: MailboxView; readonly status: MailboxStatus },
  theirs: Announced,
): Promise<Modseq> {
  const before = remembered(session, guid);
  if (!hasPrivate(session, theirs) || (before === null && theirs === null)) return 0n;
  const all = before === null ? NO_CHANGES : await everythingIn(view);
  return observePrivate(before, status.uidValidity, all, true).highestModseq;
}

/**
 * Our private flags as the list tells them, if the mailbox has any at the other end.
 * @param isWhole the list has every mail, not changes alone
 */
export function privateFlagsOf(
  session: Session,
  { mailboxGuid, uidValidity }: MessageOf<'mailbox'>,
  theirs: MessageOf<'mailbox'>,
  { changes, isWhole }: { readonly changes: MailboxChanges; readonly isWhole: boolean },
): PrivateFlags | null {
  if (!hasPrivate(session, theirs)) return null;
  return observePrivate(remembered(session, mailboxGuid), uidValidity, changes, isWhole);
}

/** Remembers private flags for the next run with this Dovecot, if they have changed; a dry run remembers nothing. */
export async function keepPrivateFlags(session: Session, guid: MailboxGuid, flags: PrivateFlags): Promise<void> {
  if (session.rules.dryRun) return;
  const before = remembered(session, guid);
  if (before === null || !samePrivate(before, flags)) await session.store.rememberPrivate?.(guid, flags);
}

function hasPrivate({ channel }: Session, theirs: Announced): boolean {
  return channel.peer.isDovecot && theirs?.highestPrivateModseq !== 0n;
}

function remembered({ store }: Session, guid: MailboxGuid): PrivateFlags | null {
  return store.recallPrivate?.(guid) ?? null;
}
