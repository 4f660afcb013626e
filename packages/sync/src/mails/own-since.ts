/**
 * Own changes where it is not known which of them came after the common state: others, who brought both sides to it, did so
 * on this side's own store. The peer's list has what has changed there since, no more and no less, so whatever else differs
 * is a change of this side's.
 */
import type { Modseq } from '@dsync/protocol';
import { type MailboxChanges, type MailRecord, withoutKeywords } from '@dsync/storage';

import { largerModseq, modseqAfter } from './plan-builder.ts';

/**
 * The own list in such terms that both ends conclude the same: what the peer has changed since the state holds, and this
 * side's value holds in all else.
 * @param highestModseq the peer's
 */
export function changesSinceTheirs(
  own: readonly MailRecord[],
  theirs: readonly MailRecord[],
  commonUid: number,
  highestModseq: Modseq,
): readonly MailRecord[] {
  const byUid = new Map(theirs.map((mail) => [mail.uid, mail]));
  return own.map((mail) => {
    if (mail.uid > commonUid) return mail;
    // A value that no action explains is the preferred side's, which is the one with the larger modseq.
    const preferred = { ...mail, modseq: largerModseq(mail.modseq, modseqAfter(highestModseq)) };
    const twin = byUid.get(mail.uid);
    return twin === undefined ? preferred : { ...preferred, ...actionsAgainst(mail, twin) };
  });
}

/** What leads from the peer's mail to the own one with the peer's changes. */
function actionsAgainst(
  own: MailRecord,
  twin: MailRecord,
): Pick<MailRecord, 'addedFlags' | 'removedFlags' | 'addedKeywords' | 'removedKeywords'> {
  const flags = (own.flags | twin.addedFlags) & ~twin.removedFlags;
  const merged = withoutKeywords([...own.keywords, ...twin.addedKeywords], twin.removedKeywords);
  return {
    addedFlags: flags & ~twin.flags,
    removedFlags: twin.flags & ~flags,
    addedKeywords: withoutKeywords(merged, twin.keywords),
    removedKeywords: withoutKeywords(twin.keywords, merged),
  };
}

/**
 * Whether every mail that may have been there when the state was made is there now, or recorded as expunged.
 * @param met the own modseq up to which this side knows all that had ever been there
 */
export function accountsForAll(
  { mails, expunges }: MailboxChanges,
  state: { readonly uid: number; readonly messages: number },
  met: Modseq,
): boolean {
  const all = [...mails, ...expunges];
  const knownUpTo = all.reduce((last, { uid, modseq }) => (modseq <= met && uid > last ? uid : last), 0);
  const since = new Set(all.map(({ uid }) => Number(uid)).filter((uid) => uid > knownUpTo && uid <= state.uid));
  const present = mails.filter(({ uid }) => uid <= state.uid).length;
  return since.size >= state.uid - knownUpTo && present <= state.messages;
}
