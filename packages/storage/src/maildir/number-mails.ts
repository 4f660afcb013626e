/** UIDs for mails that nobody has numbered: Dovecot's order (`compareArrival`), under Dovecot's lock. */
import { randomBytes } from 'node:crypto';

import { counted, mailboxGuid, MAX_UID } from '@dsync/protocol';

import { StoreError } from '../errors.ts';
import type { JournalHead } from '../journal/journal.ts';
import type { Context } from './context.ts';
import { compareArrival } from './file-name.ts';
import type { Folder } from './folder.ts';
import { baseOf } from './mail-identity.ts';
import { printUidlist, type Uidlist, type UidlistRecord } from './uidlist.ts';
import { nextUidValidity } from './uidvalidity.ts';
import type { RawView } from './view.ts';

/** Whose mails are numbered. */
export interface Numbered {
  readonly context: Context;
  readonly folder: Folder;
  readonly print: string;
  /** As remembered; null: not looked at yet. */
  readonly head: JournalHead | null;
  /** What the journal has for its name. */
  atThisPath(): JournalHead | null;
}

type Basis = Pick<Uidlist, 'uidValidity' | 'uidNext' | 'guid' | 'fields' | 'records'>;

/**
 * Writes records for mails that have none, or the whole list if it is missing. The caller makes it durable.
 * @throws {StoreError} `Temporary` if no UIDs are left
 */
export function numberMails(box: Numbered, { uidlist, files }: RawView): void {
  const { folder, head, print } = box;
  const basis = uidlist ?? lostUidlist(box, files);
  const known = new Set(basis.records.map((record) => record.base));
  const unknown = [...files.keys()].filter((name) => !known.has(name)).toSorted(compareArrival);
  let next = Math.max(
    basis.uidNext,
    (basis.records.at(-1)?.uid ?? 0) + 1,
    head !== null && head.uidValidity === basis.uidValidity ? head.uidNext : 1,
  );
  if (next + unknown.length > MAX_UID + 1) throw new StoreError('Temporary', `${print} has no UIDs left`);
  const records = [
    ...basis.records,
    ...unknown.map((name): UidlistRecord => ({ uid: next++, base: name, guid: null, fields: '' })),
  ];
  const guid = basis.guid ?? mailboxGuid(randomBytes(16).toString('hex'));
  folder.replaceUidlist(printUidlist({ ...basis, guid, uidNext: next, records }), folder.ownership());
}

/**
 * A uidlist that was lost, put together from what is remembered; or a first one. Without it Dovecot would give every
 * mail a new UID and the mailbox a new identity.
 */
function lostUidlist(box: Numbered, files: RawView['files']): Basis {
  const { context, print } = box;
  const { journal, layout } = context;
  const remembered = box.head ?? box.atThisPath();
  if (remembered === null)
    return {
      uidValidity: nextUidValidity(layout.roots.control, context.now()),
      uidNext: 1,
      guid: null,
      fields: '',
      records: [],
    };
  const records = journal
    .mails(remembered.guid)
    .map((mail): UidlistRecord => ({
      uid: mail.uid,
      base: baseOf(mail),
      guid: mail.guid === baseOf(mail) ? null : mail.guid,
      fields: '',
    }))
    .filter(({ base }) => files.has(base));
  context.warn(`${print}: dovecot-uidlist was missing, ${counted(records.length, 'UID')} restored from the journal`);
  const { uidValidity, uidNext, guid } = remembered;
  return { uidValidity, uidNext, guid, fields: '', records };
}
