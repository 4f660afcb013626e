/** What happens when mails arrive under UIDs that a transaction wants: who gets which, as in Dovecot 2.3.19. */

/** New UIDs by those that could not be had, or kept. */
export interface SettledUids {
  /** Final UIDs of the transaction's mails that cannot have the wanted one. */
  readonly wanted: ReadonlyMap<number, number>;
  /** Final UIDs of mails that arrived meanwhile and must make way. */
  readonly racing: ReadonlyMap<number, number>;
  readonly uidsChanged: boolean;
}

/**
 * `wanted`: UIDs of mails to be saved, copied or renumbered; `uidNextAtBegin`: UIDNEXT when the transaction began;
 * `uidNext`: UIDNEXT now; `present`: UIDs that are there now (those below `uidNextAtBegin` may be left out).
 *
 * A UID below UIDNEXT cannot be given any more. Then everything from the old UIDNEXT up to the highest UID wanted that
 * is not as expected is given up: the transaction's mails get fresh UIDs first, then those that arrived.
 */
export function settleUids(
  wanted: readonly number[],
  uidNextAtBegin: number,
  uidNext: number,
  present: Iterable<number>,
): SettledUids {
  const ascending = wanted.toSorted((a, b) => a - b);
  const lost = ascending.filter((uid) => uid < uidNext);
  const [lowest] = lost;
  const highest = ascending.at(-1);
  if (lowest === undefined || highest === undefined)
    return { wanted: new Map(), racing: new Map(), uidsChanged: false };
  const from = Math.min(uidNextAtBegin, lowest);
  let fresh = Math.max(uidNext, highest + 1);
  const moved = new Map(lost.map((uid) => [uid, fresh++]));
  const arrived = [...present].filter((uid) => uid >= from && uid <= highest).toSorted((a, b) => a - b);
  return { wanted: moved, racing: new Map(arrived.map((uid) => [uid, fresh++])), uidsChanged: true };
}
