/**
 * Mailboxes of which a recorded master told a state and no more, since nothing had changed there on its side. We ask for
 * them all the same, so that changes on the other side are found; then the recorded slave has to say what it would have said.
 */
import type { MailboxGuid, MessageOf, Received } from '@dsync/protocol';
import type { MailboxSyncState, SyncState } from '@dsync/sync';

import { printMessage } from '../../packages/protocol/test-kit/captures.ts';
import type { Said } from './recorded-store.ts';

/** The master's numbers of such mailboxes, which are those of the state. */
export type Unspoken = ReadonlyMap<MailboxGuid, MessageOf<'mailbox'>>;

/** @param states of `-s`, as the recorded master told them */
export function unspokenMailboxes(states: SyncState, master: Said): Unspoken {
  const unspoken = new Map<MailboxGuid, MessageOf<'mailbox'>>();
  for (const [guid, state] of states) {
    const uidNext = uidNextOf(guid, master);
    if (!master.mailboxes.has(guid) && uidNext !== undefined) unspoken.set(guid, numbersOf(guid, state, uidNext));
  }
  return unspoken;
}

/** Those in which the slave's tree shows nothing new either: what it had not told is not in the recording. */
export function unchangedOf(unspoken: Unspoken, slave: Said): Unspoken {
  return new Map([...unspoken].filter(([guid, { uidNext }]) => uidNextOf(guid, slave) === uidNext));
}

function uidNextOf(guid: MailboxGuid, { nodes }: Said): number | undefined {
  return nodes.find(({ mailboxGuid }) => mailboxGuid === guid)?.uidNext;
}

function numbersOf(mailboxGuid: MailboxGuid, state: MailboxSyncState, uidNext: number): MessageOf<'mailbox'> {
  return {
    kind: 'mailbox',
    mailboxGuid,
    uidValidity: state.uidValidity,
    uidNext,
    messages: state.messages,
    firstRecentUid: uidNext,
    highestModseq: state.lastCommonModseq,
    highestPrivateModseq: 0n,
    haveGuids: true,
    haveSaveGuids: true,
  };
}

/** As a side's own words, without any change since the state. */
export function withUnspoken(said: Said, unspoken: Unspoken): Said {
  const nothing = { attributes: [], changes: [], mails: [], requests: [] };
  const more = [...unspoken].map(([guid, numbers]) => [guid, { numbers, ...nothing }] as const);
  return { ...said, mailboxes: new Map([...said.mailboxes, ...more]) };
}

/** All that a slave says of a mailbox without changes: no attributes, changes, requests and mails, and its new state, which is the old one. */
export function quietAnswer(numbers: MessageOf<'mailbox'>): Buffer {
  const { mailboxGuid, uidValidity, uidNext, highestModseq, messages } = numbers;
  const state = {
    kind: 'mailboxState',
    mailboxGuid,
    lastUidValidity: uidValidity,
    lastCommonUid: uidNext - 1,
    lastCommonModseq: highestModseq,
    lastCommonPrivateModseq: 0n,
    messages,
  } as const;
  return Buffer.concat([printMessage(numbers), Buffer.from('.\n'.repeat(4)), printMessage(state)]);
}

/** What was said of these mailboxes, each from its numbers to its state, and all the rest. */
export function partUnspoken(
  messages: readonly Received[],
  unspoken: Pick<Unspoken, 'has'>,
): { readonly rest: readonly Received[]; readonly ofThem: readonly Received[] } {
  const [rest, ofThem]: [Received[], Received[]] = [[], []];
  let within = false;
  for (const message of messages) {
    if (message.kind === 'mailbox') within = unspoken.has(message.mailboxGuid);
    (within ? ofThem : rest).push(message);
    if (message.kind === 'mailboxState') within = false;
  }
  return { rest, ofThem };
}
