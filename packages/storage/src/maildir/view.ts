/** A Maildir as it was read at one look. */
import { uid as checkedUid, type MailboxGuid } from '@dsync/protocol';

import type { JournalMail } from '../journal/journal.ts';
import type { ObservedMail } from '../journal/observe.ts';
import { isSettled, type Folder, type FoundMail, type Stamp } from './folder.ts';
import { keywordsOf, type KeywordLetters } from './keywords-file.ts';
import { baseOf, guidOf } from './mail-identity.ts';
import type { Uidlist } from './uidlist.ts';
import { untoldOf, type UntoldKeywords } from './untold-keywords.ts';

/** As it was found: mails may have no UIDs, the mailbox no identity. */
export interface RawView {
  readonly stamp: Stamp;
  /** Whether a change after the listing must leave another stamp. */
  readonly settled: boolean;
  readonly uidlist: Uidlist | null;
  readonly letters: KeywordLetters;
  readonly files: ReadonlyMap<string, FoundMail>;
}

/** The mailbox has an identity; mails may still have no UIDs. */
export interface View extends RawView {
  readonly uidlist: Uidlist & { readonly guid: MailboxGuid };
}

/**
 * @param stamp made just now
 * @param before what was read before that, whose listing holds if the directories are as they were
 * @throws {StoreError} `Corrupt`, `Permission`
 */
export function readView(folder: Folder, stamp: Stamp, before?: RawView): RawView {
  // The clock before the listing: what happens while that is made must count as later.
  const settled = isSettled(stamp, Date.now());
  // The listing first: records are made before files come to their places, so what is listed has its record.
  const holds = before?.settled === true && before.stamp.listing === stamp.listing;
  const files = holds ? before.files : folder.list();
  return { settled, stamp, files, uidlist: folder.readUidlist(), letters: folder.readKeywords() };
}

/** Whether the mailbox has an identity. */
export function isNumbered(view: RawView): view is View {
  return view.uidlist !== null && view.uidlist.guid !== null && view.uidlist.version === 3;
}

/** Whether also every mail has a UID. */
export function isComplete(view: RawView): view is View {
  const { uidlist, files } = view;
  if (uidlist === null || !isNumbered(view)) return false;
  let numbered = 0;
  for (const { base } of uidlist.records) if (files.has(base)) numbered++;
  return numbered === files.size;
}

/** The files that have a UID. */
export function numberedOnly({ uidlist }: View, files: ReadonlyMap<string, FoundMail>): ReadonlyMap<string, FoundMail> {
  const bases = new Set(uidlist.records.map(({ base }) => base));
  return new Map([...files].filter(([base]) => bases.has(base)));
}

/** UIDNEXT, also of a list that another program wrote carelessly. */
export function uidNextOf(uidlist: Uidlist): number {
  return Math.max(uidlist.uidNext, (uidlist.records.at(-1)?.uid ?? 0) + 1);
}

/**
 * The mails as the journal compares them.
 * @param spare keywords that no letter was left for, as the folder notes them
 */
export function observedMails(
  { uidlist, letters }: View,
  files: ReadonlyMap<string, FoundMail>,
  remembered: readonly JournalMail[],
  spare: UntoldKeywords,
): ObservedMail[] {
  const untold = untoldOf(letters, remembered);
  const known = spare.size === 0 ? NOBODY : new Set(remembered.map(baseOf));
  const mails: ObservedMail[] = [];
  for (const record of uidlist.records) {
    const file = files.get(record.base);
    if (file === undefined) continue;
    const told = keywordsOf(letters, file.keywordLetters);
    const more = untold.get(record.base) ?? (known.has(record.base) ? undefined : spare.get(record.base));
    mails.push({
      uid: checkedUid(record.uid),
      guid: guidOf(record),
      flags: file.flags,
      keywords: more === undefined ? told : [...told, ...more],
      name: file.at,
    });
  }
  return mails;
}

const NOBODY: ReadonlySet<string> = new Set();
