/** Takes in the mails that were asked for, and commits what the run does to the own mailbox. */
import type { Body } from '@dsync/protocol';
import { StoreError } from '@dsync/storage';

import type { MailCounts } from '../report.ts';
import { NO_MAILS } from './count-mails.ts';
import type { MailImport } from './mail-import.ts';
import type { MailboxTalk } from './mailbox-talk.ts';
import { receiveList } from './receive.ts';
import type { Session } from './session.ts';

/**
 * @param sent the mails that the peer asked for are sent
 * @returns what was done, and whether that is all that the plan wanted
 */
export async function receiveMails(
  session: Session,
  { conversation, view, ours }: MailboxTalk,
  mails: MailImport,
  sent: Promise<void>,
): Promise<{ readonly counts: MailCounts; readonly isWhole: boolean }> {
  const { observer, notes } = session;
  let gone = false;
  /** Undefined: the mailbox was deleted while the run went on; the next run finds the deletion. */
  const unlessGone = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      const isGone = error instanceof StoreError && error.code === 'NotFound' && !(await isThere(session, ours));
      if (!isGone) throw error;
      gone = true;
      return undefined;
    }
  };
  const tell = (): void => observer.mailsReceived?.(view.path, mails.received, mails.wanted, mails.bytes);
  await receiveList(conversation, 'mail', 'mails', (mail) => {
    const taking = gone ? ignoreBody(mail.body) : mails.take(mail);
    return taking === undefined ? tell() : unlessGone(taking).then(tell);
  });
  // The commit gives mails other UIDs; the peer's requests name the present ones. The peer never waits for our commit
  // before it has read all mails, so waiting for it here cannot block both.
  await sent;
  const result = gone ? undefined : await unlessGone(mails.commit());
  if (result === undefined) {
    if (mails.wanted > 0) notes.unexpected.push(`Mailbox ${view.path.join('/')} was deleted meanwhile`);
    return { counts: NO_MAILS, isWhole: false };
  }
  notes.unexpected.push(...result.unexpected);
  return { counts: result.counts, isWhole: true };
}

async function isThere({ store }: Session, { mailboxGuid }: MailboxTalk['ours']): Promise<boolean> {
  const mailbox = await store.openMailbox(mailboxGuid);
  await mailbox?.[Symbol.asyncDispose]();
  return mailbox !== null;
}

/** Reads a body to its end, which must be done before the next message. */
async function ignoreBody(body: Body | undefined): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return;
  for await (const _chunk of body);
}
