/**
 * What a Dovecot knows of a mailbox that no comparison of two looks can tell: flags and keywords that came after the one look
 * and were taken away by a user before the other. Its log is a help and never needed: without one, nothing is told.
 */
import { join } from 'node:path';

import { ALL_FLAGS, type Modseq } from '@dsync/protocol';

import type { Others, Undone } from '../journal/observe.ts';
import {
  type DovecotLog,
  endOf,
  FORMER_LOG,
  LOG,
  type LogRecord,
  readDovecotLog,
  recordsOf,
  setsUidValidity,
  TYPE,
} from './dovecot-records.ts';

type Mails = readonly { readonly uid: number }[];

/**
 * @param index the folder of the mailbox's index files
 * @param here the mails that are there, ascending UIDs
 * @param readTo what the last look got as such; undefined: there was none, so that nothing can be told
 */
export function readOthers(index: string, here: Mails, readTo: string | undefined): Others {
  const log = readDovecotLog(join(index, LOG));
  if (log === null) return { readTo: '', undone: new Map() };
  const { fresh, end } = freshRecords(index, log, readTo);
  return {
    readTo: `${log.id}:${log.seq}:${end}`,
    undone: undoneIn(fresh.slice(fresh.findLastIndex(setsUidValidity) + 1), here),
  };
}

/** What was written since, if all of it is still there, and where the log ends now. */
function freshRecords(
  index: string,
  log: DovecotLog,
  readTo: string | undefined,
): { readonly fresh: readonly LogRecord[]; readonly end: number } {
  const end = endOf(log);
  if (readTo === undefined) return { fresh: [], end };
  // There was no log then, so that all of it is new.
  if (readTo === '') return { fresh: [...recordsOf(log)], end };
  const [id, seq, offset = NaN] = readTo.split(':').map(Number);
  const after = (one: DovecotLog): LogRecord[] => [...recordsOf(one)].filter((record) => record.end > offset);
  if (id !== log.id) return { fresh: [], end };
  if (seq === log.seq) return { fresh: end > offset ? after(log) : [], end };
  const former = seq === log.seq - 1 ? readDovecotLog(join(index, FORMER_LOG)) : null;
  if (former?.id !== id || former.seq !== seq) return { fresh: [], end };
  return { fresh: [...after(former), ...recordsOf(log)], end };
}

/** One thing done to mails, in its order in the record. */
interface Action {
  readonly first: number;
  readonly last: number;
  readonly kind: 'add' | 'remove' | 'reset' | 'gone';
  /** Keywords, and flags as `FLAG` and the bit. */
  readonly names: readonly string[];
}

/** Before a flag's bit in the place of a keyword. */
const FLAG = '\0';

interface Came {
  readonly name: string;
  /** The modseq with which a user took it away; null: not yet. */
  readonly undoneAt: Modseq | null;
}

/** Of more than this nothing is told. */
const MAX_STEPS = 2_000_000;

/** @param here ascending UIDs */
export function undoneIn(records: readonly LogRecord[], here: Mails): ReadonlyMap<number, Undone> {
  const undone = new Map<number, Undone>();
  const done = records.flatMap((record) => actionsOf(record).map((action) => ({ record, action })));
  const isTakenAway = ({ action, record }: (typeof done)[number]): boolean => record.byUser && action.kind !== 'add';
  // In most logs nobody takes anything away.
  const away = done.filter(isTakenAway).map(({ action }) => action);
  if (away.every(({ kind }) => kind === 'gone')) return undone;
  const anyKeyword = away.some(({ kind }) => kind === 'reset');
  const named = new Set(away.flatMap(({ names }) => names.map((name) => name.toLowerCase())));
  const matters = (name: string): boolean => named.has(name.toLowerCase()) || (anyKeyword && !name.startsWith(FLAG));
  const mails = new Map<number, Map<string, Came>>();
  let steps = 0;
  for (const { record, action } of done) {
    const names = action.names.filter(matters);
    if (names.length === 0 && (action.kind === 'add' || action.kind === 'remove')) continue;
    for (const uid of within(here, action.first, action.last)) {
      if (++steps > MAX_STEPS) return undone;
      const came = mails.get(uid) ?? new Map<string, Came>();
      mails.set(uid, came);
      follow(came, { ...action, names }, record);
    }
  }
  for (const [uid, came] of mails) {
    const gone = [...came.values()].flatMap(({ name, undoneAt }) => (undoneAt === null ? [] : [{ name, undoneAt }]));
    if (gone.length > 0) undone.set(uid, undoneOf(gone));
  }
  return undone;
}

function follow(came: Map<string, Came>, { kind, names }: Action, { byUser, modseq }: LogRecord): void {
  if (kind === 'gone') return came.clear();
  if (kind === 'add') {
    for (const name of names) came.set(name.toLowerCase(), { name, undoneAt: null });
    return;
  }
  // What had not come since the last look, the looks themselves tell.
  const keys =
    kind === 'reset'
      ? [...came.keys()].filter((key) => !key.startsWith(FLAG))
      : names.map((name) => name.toLowerCase());
  for (const key of keys) {
    const one = came.get(key);
    if (one === undefined) continue;
    if (!byUser) came.delete(key);
    else if (one.undoneAt === null) came.set(key, { ...one, undoneAt: modseq });
  }
}

function undoneOf(gone: readonly { readonly name: string; readonly undoneAt: Modseq }[]): Undone {
  let [flags, modseq] = [0, 0n];
  const keywords: string[] = [];
  for (const { name, undoneAt } of gone) {
    if (name.startsWith(FLAG)) flags |= Number(name.slice(1));
    else keywords.push(name);
    if (undoneAt > modseq) modseq = undoneAt;
  }
  return { flags, keywords, modseq };
}

function actionsOf({ type, data }: LogRecord): Action[] {
  switch (type) {
    case TYPE.append:
      return each(data, 0, 8, (at) => {
        const uid = data.readUInt32LE(at);
        return [{ first: uid, last: uid, kind: 'add', names: flagNames(data[at + 4]) }];
      });
    case TYPE.flags:
      return each(data, 0, 12, (at) => [
        { ...rangeAt(data, at), kind: 'remove', names: flagNames(data[at + 9]) },
        { ...rangeAt(data, at), kind: 'add', names: flagNames(data[at + 8]) },
      ]);
    case TYPE.keyword: {
      if (data.length < 4) return [];
      const end = 4 + data.readUInt16LE(2);
      const names = [data.toString('utf8', 4, end)];
      return each(data, (end + 3) & ~3, 8, (at) => [
        { ...rangeAt(data, at), kind: data[0] === 0 ? 'add' : 'remove', names },
      ]);
    }
    case TYPE.keywordReset:
      return each(data, 0, 8, (at) => [{ ...rangeAt(data, at), kind: 'reset', names: [] }]);
    case TYPE.expunge:
      return each(data, 0, 8, (at) => [{ ...rangeAt(data, at), kind: 'gone', names: [] }]);
    case TYPE.expungeGuid:
      return each(data, 0, 20, (at) => {
        const uid = data.readUInt32LE(at);
        return [{ first: uid, last: uid, kind: 'gone', names: [] }];
      });
    default:
      return [];
  }
}

/** Of every whole entry of `size` bytes. */
function each(data: Buffer, start: number, size: number, read: (at: number) => readonly Action[]): Action[] {
  const actions: Action[] = [];
  for (let at = start; at + size <= data.length; at += size)
    for (const action of read(at))
      if (action.names.length > 0 || action.kind === 'reset' || action.kind === 'gone') actions.push(action);
  return actions;
}

function rangeAt(data: Buffer, at: number): { readonly first: number; readonly last: number } {
  return { first: data.readUInt32LE(at), last: data.readUInt32LE(at + 4) };
}

function flagNames(flags = 0): string[] {
  const names: string[] = [];
  for (let bit = 1; bit <= ALL_FLAGS; bit <<= 1) if ((flags & ALL_FLAGS & bit) !== 0) names.push(`${FLAG}${bit}`);
  return names;
}

/** Those whose UIDs are in a range. */
function* within(here: Mails, first: number, last: number): Generator<number> {
  let [low, high] = [0, here.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((here[middle]?.uid ?? 0) < first) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < here.length; at++) {
    const uid = here[at]?.uid ?? Infinity;
    if (uid > last) return;
    yield uid;
  }
}
