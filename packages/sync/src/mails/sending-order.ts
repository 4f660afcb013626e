/**
 * The order in which mails are sent that a peer has asked for.
 *
 * A Dovecot commits once no mail that it waits for has a lower UID than one that it has saved: 2.3 at every such moment,
 * which with ascending UIDs is after each mail, two flushes of the disk besides that of the mail itself; 2.4 when a
 * hundred have come as well. So of each hundred the first is sent last, and both commit once for them.
 */

/** As many as a Dovecot means to commit at once (`dsync_commit_msgs_interval`). */
const COMMITTED_AT_ONCE = 100;

/** `as-asked`: our own kind asks in the order of its own UIDs. `by-uid`: for a mailbox that keeps mails as they come (mbox). */
export type SendingOrder = 'as-asked' | 'by-uid' | 'in-blocks';

/** @returns a new list, or the same one */
export function inSendingOrder<T>(mails: readonly T[], order: SendingOrder, uidOf: (mail: T) => number): readonly T[] {
  if (order === 'as-asked') return mails;
  const ascending = mails.toSorted((a, b) => uidOf(a) - uidOf(b));
  if (order === 'by-uid') return ascending;
  const sent: T[] = [];
  for (let begin = 0; begin < ascending.length; begin += COMMITTED_AT_ONCE) {
    const [first, ...others] = ascending.slice(begin, begin + COMMITTED_AT_ONCE);
    sent.push(...others);
    if (first !== undefined) sent.push(first);
  }
  return sent;
}
