/** Which mails no client has been shown yet: those in new/. */

/**
 * The first UID that was not shown, from where the mails lie and nothing else, so that a folder that did not change
 * gives the same answer whenever it is listed: a record of a mail that is gone says nothing, one side may have tidied it
 * up and the other not. With all mails shown, it is the one behind the last.
 * @param shown the mark so far; it never goes back
 */
export function firstUnshown(
  mails: Iterable<{ readonly uid: number; readonly at: string | undefined }>,
  shown: number,
): number {
  let first = Infinity;
  let last = 0;
  for (const { uid, at } of mails) {
    if (at === undefined) continue;
    if (uid > last) last = uid;
    if (uid < first && at.startsWith('new/')) first = uid;
  }
  return Math.max(shown, first === Infinity ? last + 1 : first);
}
