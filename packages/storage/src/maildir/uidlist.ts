/**
 * `dovecot-uidlist`: UIDs, UIDVALIDITY, mailbox and mail GUIDs of one Maildir.
 *
 *     3 V<uidvalidity> N<next uid> G<mailbox guid>
 *     <uid> [<K><value> ]… :<base name>
 *
 * Reading is strict: where Dovecot would delete a broken file, and with it every UID, we stop with an error.
 */
import { isMailboxGuid, isMailGuid, isUid, type MailboxGuid } from '@dsync/protocol';

import { StoreError } from '../errors.ts';

/** The line of one mail. */
export interface UidlistRecord {
  readonly uid: number;
  /** File name without the info part, but with `,S=…,W=…`. */
  readonly base: string;
  /** The GUID if it is not the base name. */
  readonly guid: string | null;
  /** Further fields as they stand, separated by blanks: `S`, `W`, `P`, `O` and unknown ones. */
  readonly fields: string;
}

/** The first line. */
export interface UidlistHeader {
  readonly version: 1 | 3;
  readonly uidValidity: number;
  /** Only a lower bound: appended records do not raise it. */
  readonly uidNext: number;
  /** null: version 1, or left out. */
  readonly guid: MailboxGuid | null;
  /** Unknown header fields as they stand. */
  readonly fields: string;
}

/** The whole file. */
export interface Uidlist extends UidlistHeader {
  /** Rising UIDs, each base name once. */
  readonly records: readonly UidlistRecord[];
  /** A base name stood in it twice (the later record wins), or its last line is unfinished: nothing can be appended. */
  readonly untidy: boolean;
}

/**
 * A line without its end (another program is appending, or was killed while it did) is left out.
 * @throws {StoreError} `Corrupt`, naming file and line
 */
export function parseUidlist(text: string, file: string): Uidlist {
  const lines = text.split('\n');
  const unfinished = lines.pop() !== '';
  if (lines.length === 0) throw corrupt(file, 1, 'no header');
  const header = parseHeader(lines[0] ?? '', file);
  const parse = header.version === 3 ? parseRecord : parseRecord1;
  const records: UidlistRecord[] = [];
  let last = 0;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const record = parse(line);
    if (record === null) throw corrupt(file, i + 1, `malformed record ${JSON.stringify(line.slice(0, 80))}`);
    if (record.uid <= last) throw corrupt(file, i + 1, `UID ${record.uid} does not rise above ${last}`);
    last = record.uid;
    records.push(record);
  }
  const unique = dropRepeated(records);
  return { ...header, records: unique, untidy: unfinished || unique.length < records.length };
}

/** Only the header of a uidlist whose beginning is `text`. @throws {StoreError} `Corrupt` */
export function parseUidlistHeader(text: string, file: string): UidlistHeader {
  const end = text.indexOf('\n');
  if (end < 0) throw corrupt(file, 1, 'no header');
  return parseHeader(text.slice(0, end), file);
}

/** Version 3, always. */
export function printUidlist(list: {
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly guid: MailboxGuid;
  readonly fields: string;
  readonly records: readonly UidlistRecord[];
}): string {
  const head = `3 V${list.uidValidity} N${list.uidNext} G${list.guid}${list.fields === '' ? '' : ` ${list.fields}`}\n`;
  return head + printRecords(list.records);
}

/** Whole lines, such as can be appended. */
export function printRecords(records: readonly UidlistRecord[]): string {
  let text = '';
  for (const { uid, base, guid, fields } of records) {
    text += uid;
    if (fields !== '') text += ` ${fields}`;
    if (guid !== null) text += ` G${guid}`;
    text += ` :${base}\n`;
  }
  return text;
}

function parseHeader(line: string, file: string): UidlistHeader {
  const old = /^1 (\d{1,10}) (\d{1,10})$/.exec(line);
  if (old !== null)
    return withNumbers({ version: 1, validity: old[1] ?? '', next: old[2] ?? '', guid: null, fields: '' }, file);
  const [version, ...words] = line.split(' ');
  if (version !== '3') throw corrupt(file, 1, `unknown version ${JSON.stringify(line.slice(0, 80))}`);
  const known = new Map<string, string>();
  const others: string[] = [];
  for (const word of words) {
    const key = word.slice(0, 1);
    if (key === 'V' || key === 'N' || key === 'G') known.set(key, word.slice(1));
    else if (/^[A-Z]/.test(word)) others.push(word);
  }
  const guid = known.get('G') ?? null;
  if (guid !== null && !isMailboxGuid(guid))
    throw corrupt(file, 1, `not a mailbox GUID: ${JSON.stringify(guid.slice(0, 80))}`);
  const [validity, next] = [known.get('V') ?? '', known.get('N') ?? ''];
  return withNumbers({ version: 3, validity, next, guid, fields: others.join(' ') }, file);
}

/** A header whose numbers have to be checked. */
type RawHeader = Pick<UidlistHeader, 'version' | 'guid' | 'fields'> & {
  readonly validity: string;
  readonly next: string;
};

function withNumbers({ validity, next, ...header }: RawHeader, file: string): UidlistHeader {
  const uidValidity = number32(validity);
  const uidNext = number32(next);
  if (uidValidity === null || uidValidity === 0) throw corrupt(file, 1, 'no valid UIDVALIDITY');
  if (uidNext === null || uidNext === 0) throw corrupt(file, 1, 'no valid next UID');
  return { ...header, uidValidity, uidNext };
}

function number32(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value <= 0xffffffff ? value : null;
}

function parseRecord(line: string): UidlistRecord | null {
  const blank = line.indexOf(' ');
  const colon = line.indexOf(' :');
  if (blank < 1 || colon < 0) return null;
  const uid = parseUid(line.slice(0, blank));
  const base = line.slice(colon + 2);
  if (uid === null || !isBase(base)) return null;
  if (colon === blank) return { uid, base, guid: null, fields: '' };
  return withFields(uid, base, line.slice(blank + 1, colon));
}

function withFields(uid: number, base: string, text: string): UidlistRecord | null {
  let guid: string | null = null;
  const others: string[] = [];
  for (const field of text.split(' ')) {
    if (field === '') continue;
    if (field.startsWith('G')) {
      guid = field.slice(1);
      if (!isMailGuid(guid)) return null;
    } else if (/^[A-Z]/.test(field)) others.push(field);
    else if (!/^[a-z]/.test(field)) return null;
  }
  return { uid, base, guid, fields: others.join(' ') };
}

function parseRecord1(line: string): UidlistRecord | null {
  const blank = line.indexOf(' ');
  const uid = blank < 1 ? null : parseUid(line.slice(0, blank));
  // Version 1 was written with the info part by old releases.
  const base = line.slice(blank + 1).split(':', 1)[0] ?? '';
  return uid === null || !isBase(base) ? null : { uid, base, guid: null, fields: '' };
}

function parseUid(text: string): number | null {
  const value = number32(text);
  return value !== null && isUid(value) ? value : null;
}

function isBase(base: string): boolean {
  return base !== '' && !base.includes('/') && !base.includes('\0');
}

function dropRepeated(records: UidlistRecord[]): UidlistRecord[] {
  const last = new Map<string, UidlistRecord>();
  for (const record of records) last.set(record.base, record);
  return last.size === records.length ? records : records.filter((record) => last.get(record.base) === record);
}

function corrupt(file: string, line: number, what: string): StoreError {
  return new StoreError(
    'Corrupt',
    `${file} line ${line}: ${what}; once it is moved away, it is made anew with the UIDs that the journal knows`,
  );
}
