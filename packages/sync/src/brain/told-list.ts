/** The own mails as a peer is told them: as they are, or with what keeps a Dovecot from expunging mails (mails/plan-safely.ts). */
import type { Uid } from '@dsync/protocol';
import type { MailboxChanges, MailFacts } from '@dsync/storage';

import type { HeaderHash } from '../mails/header-hash.ts';
import type { SafeMerge } from '../mails/plan-safely.ts';
import type { ChangeCollector } from './mail-messages.ts';

export interface ToldList {
  readonly changes: MailboxChanges;
  /** Received dates and sizes; null: the filter does not need them. */
  readonly facts: ReadonlyMap<Uid, MailFacts> | null;
  /** null: GUIDs count. */
  readonly hashes: ReadonlyMap<Uid, HeaderHash> | null;
}

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
