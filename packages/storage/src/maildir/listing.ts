import type { MailboxPath } from '@dsync/protocol';

import type { Listing, Remembered } from '../journal/observe.ts';
import { confirmExpunges } from './confirm-expunges.ts';
import { readOthers } from './dovecot-history.ts';
import { readDovecotExpunges } from './dovecot-log.ts';
import type { Folder } from './folder.ts';
import { firstUnshown } from './recent.ts';
import { isComplete, numberedOnly, observedMails, uidNextOf, type View } from './view.ts';

/**
 * The mailbox as the journal compares it, and the view with what was found out on the way. What came after others were
 * numbered is in neither: it is left to the next look.
 */
export async function listingOf(
  folder: Folder,
  path: MailboxPath,
  view: View,
  remembered: Remembered | null,
): Promise<{ readonly listing: Listing; readonly read: View }> {
  const { uidlist, stamp } = view;
  const { index } = folder.places;
  const head = remembered?.head;
  const mails = remembered?.mails ?? [];
  const { files, settled: listed } = await confirmExpunges(folder, view, mails);
  const complete = isComplete({ ...view, files });
  const shown = head !== undefined && head.uidValidity === uidlist.uidValidity ? head.firstRecentUid : 1;
  const places = uidlist.records.map(({ uid, base }) => ({ uid, at: files.get(base)?.at }));
  const observed = observedMails(view, files, mails, folder.readUntoldKeywords());
  // A known fingerprint holds, however young: it was sealed (seal.ts).
  const holds = listed && complete && (stamp.text === head?.fingerprint || view.settled);
  const listing: Listing = {
    guid: uidlist.guid,
    path,
    uidValidity: uidlist.uidValidity,
    uidNext: uidNextOf(uidlist),
    firstRecentUid: firstUnshown(places, shown),
    mails: observed,
    passed: () => readDovecotExpunges(index),
    others: readOthers(index, observed, head?.readTo),
    fingerprint: holds ? stamp.text : '',
  };
  return { listing, read: { ...view, files: complete ? files : numberedOnly(view, files) } };
}
