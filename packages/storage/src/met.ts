/** What a store remembers of its runs with one peer. */
import type { Modseq } from '@dsync/protocol';

/** UIDs as ascending ranges, both ends included. */
export type UidRanges = readonly (readonly [first: number, last: number])[];

/** Mails of a mailbox that one side lacks because of a filter, not because they were expunged. */
export interface HeldBack {
  /** Of this side when that was so; with another one the UIDs mean nothing. */
  readonly uidValidity: number;
  /** The peer's mails that this side lacks. */
  readonly theirs: UidRanges;
  /** This side's mails that the peer may lack. */
  readonly ours: UidRanges;
}

/** How a mailbox was after the last run with a peer. */
export interface Met {
  /** HIGHESTMODSEQ of this side; null: no run has looked at all of the mailbox. */
  readonly highestModseq: Modseq | null;
  readonly heldBack: HeldBack | null;
}
