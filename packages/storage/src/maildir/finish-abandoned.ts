import type { Folder } from './folder.ts';
import { hasAbandoned, recover } from './temporary.ts';
import { printUidlist } from './uidlist.ts';
import { uidNextOf, type RawView } from './view.ts';

/**
 * Finishes or undoes what killed processes began (temporary.ts); mails that come to light too late for their UIDs get
 * others. To be called with the uidlist locked.
 * @returns whether there was anything; then the view no longer holds
 * @throws {StoreError}
 */
export function finishAbandoned(folder: Folder, host: string, { uidlist, files }: RawView): boolean {
  if (!hasAbandoned(folder, host)) return false;
  const bases = new Set(uidlist?.records.map(({ base }) => base));
  const late = recover(
    folder,
    host,
    (base) => bases.has(base),
    (base) => files.has(base),
  );
  if (uidlist === null || uidlist.guid === null || late.size === 0) return true;
  let next = uidNextOf(uidlist);
  const stay = uidlist.records.filter(({ base }) => !late.has(base));
  const move = uidlist.records.filter(({ base }) => late.has(base)).map((record) => ({ ...record, uid: next++ }));
  const text = printUidlist({ ...uidlist, guid: uidlist.guid, uidNext: next, records: [...stay, ...move] });
  folder.replaceUidlist(text, folder.ownership());
  return true;
}
