/** A backup of mail that is not there: of an account that never got any, or of a path that is mistyped. */
import type { MailStore, TreeSnapshot } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import { isInbox } from '../tree/names.ts';
import { isMailboxNode, type MailboxNode } from '../tree/side-tree.ts';
import type { SessionRules } from './handshake.ts';

/** Whether the peer has to be heard before it is told that there is nothing: it deletes what its source does not have. */
export function isMissingSource(store: MailStore, { mode, localIs }: SessionRules): boolean {
  return store.missingAt !== undefined && mode === 'backup' && localIs === 'source';
}

/**
 * Lets the missing source be an account without mail, with the peer's own empty INBOX: a Dovecot fails where its is to be deleted.
 * @param remote null: it cannot be known yet
 * @throws {SyncError} `NoSuchMailbox` if anything would be deleted
 */
export async function backUpNothing(store: MailStore, remote: TreeSnapshot | null): Promise<void> {
  const { nodes } = await store.readTree();
  const here = new Set(nodes.map(({ mailbox }) => mailbox?.guid));
  const lost = remote?.nodes.filter(isMailboxNode).filter(({ mailbox }) => !here.has(mailbox.guid)) ?? [];
  const [inbox, ...others] = lost;
  if (remote === null || others.length > 0 || (inbox !== undefined && !isUnused(inbox)))
    throw new SyncError(
      'NoSuchMailbox',
      `there is no mail at ${store.missingAt}: a backup of it would delete all mail at its destination`,
    );
  if (inbox === undefined || nodes.some(({ path }) => isInbox(path))) return;
  const { guid, uidValidity } = inbox.mailbox;
  await store.createMailbox(inbox.path, { guid, uidValidity, createdAt: 0 });
}

/** An INBOX that never had any mail. */
function isUnused({ path, mailbox }: MailboxNode): boolean {
  return isInbox(path) && mailbox.uidNext === 1;
}
