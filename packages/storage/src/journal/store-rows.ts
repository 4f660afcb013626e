/** Rows that outlive a mailbox or are about all of them: names, deletions, runs with a peer. Reading throws `RowError`. */
import { createHash } from 'node:crypto';

import { isMailboxGuid, MAX_UID, type MailboxGuid, type MailboxPath } from '@dsync/protocol';

import type { Met, UidRanges } from '../met.ts';
import { pathKey } from '../paths.ts';
import type { JournalName } from './journal.ts';
import { must, RowReader, RowWriter } from './row-bytes.ts';
import { guidKey, guidOf, readPath, ROW, type Row } from './row.ts';

const writer = new RowWriter();

/** By a hash: names can be longer than keys. */
export function nameKey(path: MailboxPath): Buffer {
  return Buffer.concat([Buffer.from([ROW.name]), createHash('sha1').update(pathKey(path)).digest()]);
}

export function nameRow(name: JournalName): Row {
  writer
    .texts(name.path)
    .number(name.renamedAt)
    .number(name.createdAt)
    .number(name.subscribed ? 1 : 0);
  writer.number(name.subscriptionChangedAt).number(name.removedAt);
  return { key: nameKey(name.path), value: writer.take() };
}

export function parseName({ value }: Row): JournalName {
  const row = new RowReader(value);
  const name: JournalName = {
    path: readPath(row),
    renamedAt: row.number(),
    createdAt: row.number(),
    subscribed: row.flag(),
    subscriptionChangedAt: row.number(),
    removedAt: row.number(),
  };
  row.end();
  return name;
}

export function deletedRow(guid: MailboxGuid, time: number): Row {
  return { key: guidKey(ROW.deleted, guid), value: writer.number(time).take() };
}

export function parseDeleted({ key, value }: Row): readonly [MailboxGuid, number] {
  const row = new RowReader(value);
  const time = row.number();
  row.end();
  return [guidOf(key), time];
}

/** Key of a row about runs with a peer, with a mailbox about that. */
export function metKey(peer: string, guid?: MailboxGuid): Buffer {
  const prefix = [Buffer.from([ROW.met]), createHash('sha1').update(peer).digest()];
  return Buffer.concat(guid === undefined ? prefix : [...prefix, Buffer.from(guid, 'hex')]);
}

/** A mailbox's HIGHESTMODSEQ is never 0, which stands for none; what is held back follows if there is anything. */
export function metRow(peer: string, guid: MailboxGuid, { highestModseq, heldBack }: Met): Row {
  writer.big(highestModseq ?? 0n);
  if (heldBack !== null) {
    writer.number(heldBack.uidValidity);
    for (const ranges of [heldBack.theirs, heldBack.ours]) writeRanges(ranges);
  }
  return { key: metKey(peer, guid), value: writer.take() };
}

export function parseMet({ key, value }: Row): readonly [MailboxGuid, Met] {
  const row = new RowReader(value);
  const modseq = row.big();
  const heldBack = row.atEnd ? null : { uidValidity: row.number(), theirs: readRanges(row), ours: readRanges(row) };
  row.end();
  const guid = key.toString('hex', MET_GUID);
  must(isMailboxGuid(guid));
  return [guid, { highestModseq: modseq === 0n ? null : modseq, heldBack }];
}

/** Each number as what it is more than the one before. */
function writeRanges(ranges: UidRanges): void {
  writer.number(ranges.length);
  let before = 0;
  for (const [first, last] of ranges) {
    writer.number(first - before).number(last - first);
    before = last;
  }
}

function readRanges(row: RowReader): UidRanges {
  const ranges: (readonly [number, number])[] = [];
  let before = 0;
  for (let left = row.number(); left > 0; left--) {
    const first = before + row.number();
    before = first + row.number();
    must(before <= MAX_UID);
    ranges.push([first, before]);
  }
  return ranges;
}

/** Behind the kind and the peer's hash. */
const MET_GUID = 21;
