/** `-t`, `-e`, `-I`, `-O`: which mails a run may give to the other side. */
import { FLAG } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import { SyncError } from '../errors.ts';
import type { MailFilter } from '../options.ts';
import type { MailSide } from './mail-plan.ts';

/** Whether a mail is inside the filter. */
export type MailTest = (mail: MailRecord) => boolean;

const SYSTEM_FLAGS: ReadonlyMap<string, number> = new Map(Object.entries(FLAG));

/** Whether the filter has any condition. */
export function isFiltering(filter: MailFilter): boolean {
  const { since, until, maxSize, flag } = filter;
  return since !== undefined || until !== undefined || maxSize !== undefined || flag !== undefined;
}

/**
 * Tells which mails of a side are inside the filter; bounds are inclusive, all conditions must hold. A mail whose date
 * and size are needed but not known is outside: it is left alone.
 * @throws {SyncError} `Usage` for a system flag that does not exist
 */
export function mailTest(filter: MailFilter, side: MailSide): MailTest {
  if (!isFiltering(filter)) return () => true;
  const { since = -Infinity, until = Infinity, maxSize = Infinity } = filter;
  const needsFacts = filter.since !== undefined || filter.until !== undefined || filter.maxSize !== undefined;
  const hasFlag = filter.flag === undefined ? null : flagTest(filter.flag, side.firstRecentUid);
  return (mail) => {
    if (hasFlag !== null && !hasFlag(mail)) return false;
    if (!needsFacts) return true;
    const facts = side.facts?.get(mail.uid);
    return facts !== undefined && facts.received >= since && facts.received <= until && facts.virtualSize <= maxSize;
  };
}

function flagTest(text: string, firstRecentUid: number): MailTest {
  const wanted = !text.startsWith('-');
  const name = (wanted ? text : text.slice(1)).toLowerCase();
  if (!name.startsWith('\\'))
    return (mail) => wanted === mail.keywords.some((keyword) => keyword.toLowerCase() === name);
  if (name === '\\recent') return (mail) => wanted === (firstRecentUid > 0 && mail.uid >= firstRecentUid);
  const bit = SYSTEM_FLAGS.get(name.slice(1));
  if (bit === undefined) throw new SyncError('Usage', `Invalid system flag given for -O parameter: '${text}'`);
  return (mail) => wanted === ((mail.flags & bit) !== 0);
}
