import type { Modseq } from '@dsync/protocol';

import type { JournalMail } from './journal.ts';
import { normalKeywords } from './keywords.ts';

/** A mail with which no user has done anything yet. */
export function freshMail(
  mail: Pick<JournalMail, 'uid' | 'guid' | 'flags' | 'keywords' | 'name'>,
  modseq: Modseq,
): JournalMail {
  return {
    uid: mail.uid,
    guid: mail.guid,
    modseq,
    flags: mail.flags,
    keywords: normalKeywords(mail.keywords),
    addedFlags: 0,
    removedFlags: 0,
    addedKeywords: NONE,
    removedKeywords: NONE,
    name: mail.name,
  };
}

const NONE: readonly string[] = [];
