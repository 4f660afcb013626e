/**
 * Stretches of UIDs whose mails both sides have alike, and need not tell each other: of a large mailbox with a few changes
 * and a long history little has to travel. Both ends cut the UIDs in the same way, tell a hash of each stretch, and find out the same.
 *
 * A mail that is not told is put in its place again from the own list, so that a merge compares whole lists as ever. What it
 * cannot know of such a mail, its modseq and who did what to it at the other side, says nothing where both are equal; only a
 * backup that makes its mailbox anew keeps such a mail with the own modseq instead of the source's.
 */
import { hash } from 'node:crypto';

import type { Modseq } from '@dsync/protocol';
import type { MailboxChanges, MailRecord } from '@dsync/storage';

/** More stretches tell less of a mailbox again for one change, and cost 40 bytes each. */
const MOST_STRETCHES = 128;

/** Of a mailbox with fewer mails the list is told as fast. */
export const LEAST_MAILS = 8;

/** The stretches that both sides have alike: all but some. */
export interface EqualStretches {
  readonly bits: number;
  readonly unequal: ReadonlySet<number>;
}

/** How the UIDs are cut: stretch `n` has those from `n * 2^bits` on. @param uidNext of the side that announces the mailbox */
export function stretchBits(uidNext: number): number {
  let bits = 2;
  while (uidNext >>> bits >= MOST_STRETCHES) bits++;
  return bits;
}

/**
 * What is told of each stretch that has any mails: its number and a hash over UIDs, GUIDs, flags and keywords.
 * @param mails ascending UIDs
 */
export function digestStretches(mails: readonly MailRecord[], bits: number): string[] {
  const told: string[] = [];
  for (const [index, text] of textsOf(mails, bits)) told.push(`${index}:${hash('sha256', text, 'hex').slice(0, 32)}`);
  return told;
}

/**
 * Where neither side has mails they are alike as well. Both sides conclude the same from the two lists.
 * @param theirs as told by the peer; what is no stretch makes none of ours equal
 */
export function equalStretches(ours: readonly string[], theirs: readonly string[], bits: number): EqualStretches {
  const [here, there] = [new Set(ours), new Set(theirs)];
  const apart = [...ours.filter((stretch) => !there.has(stretch)), ...theirs.filter((stretch) => !here.has(stretch))];
  return { bits, unequal: new Set(apart.map((stretch) => Number(stretch.slice(0, stretch.indexOf(':'))))) };
}

/** Whether that UID lies in one of them. */
export function isIn({ bits, unequal }: EqualStretches, uid: number): boolean {
  return !unequal.has(uid >>> bits);
}

/** What is left to be told: where both have the same mails, no record of an expunge says anything. */
export function withoutEqual(changes: MailboxChanges, equal: EqualStretches | null): MailboxChanges {
  if (equal === null) return changes;
  const { mails, expunges } = changes;
  return {
    mails: mails.filter(({ uid }) => !isIn(equal, uid)),
    expunges: expunges.filter(({ uid }) => !isIn(equal, uid)),
  };
}

/**
 * The peer's whole list from what it told, which is nothing of these stretches, and our own.
 * @param own ascending UIDs, as is `told`
 * @param highestModseq the peer's; none of its mails has more
 */
export function withEqualMails(
  told: readonly MailRecord[],
  own: readonly MailRecord[],
  equal: EqualStretches,
  highestModseq: Modseq,
): readonly MailRecord[] {
  const alike = own
    .filter(({ uid }) => isIn(equal, uid))
    .map((mail) => (mail.modseq > highestModseq ? { ...mail, modseq: highestModseq } : mail));
  return alike.length === 0 ? told : [...alike, ...told].sort((a, b) => a.uid - b.uid);
}

function* textsOf(mails: readonly MailRecord[], bits: number): Generator<readonly [number, string]> {
  let index = -1;
  let text = '';
  for (const { uid, guid, flags, keywords } of mails) {
    const at = uid >>> bits;
    if (at !== index && index >= 0) yield [index, text];
    if (at !== index) text = '';
    index = at;
    // Neither a GUID nor a keyword has a blank in it.
    text += `${uid} ${flags} ${guid}${keywords.length === 0 ? '' : ` ${keywords.toSorted().join(' ')}`}\n`;
  }
  if (index >= 0) yield [index, text];
}
