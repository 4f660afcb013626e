/**
 * What a commit does to the files, decided from the mailbox as it is under the lock. Pure but for the new base names;
 * the only thing it does not know is whether a file is still there when its turn comes.
 */
import { uid as checkedUid, type Uid } from '@dsync/protocol';

import type { MailboxMemory } from '../journal/apply-sync.ts';
import type { JournalMail } from '../journal/journal.ts';
import { withoutKeywords } from '../journal/keywords.ts';
import { settleUids, type SettledUids } from '../journal/settle-uids.ts';
import type { PlacedMail } from '../mail-store.ts';
import { makeBase, parseFileName, printFileName, sizeIn, type BaseClock } from './file-name.ts';
import { addKeywords, keywordsOf, lettersFor, type KeywordLetters } from './keywords-file.ts';
import { baseOf } from './mail-identity.ts';
import { firstUnshown } from './recent.ts';
import type { UidlistRecord } from './uidlist.ts';
import { uidNextOf, type View } from './view.ts';
import { placeOf, type FlagChange, type Work } from './work.ts';

/** A new mail: it is in tmp/ (a save), is to be linked there from `source` (a copy), or lies where it is to stay. */
export interface PlannedMail {
  readonly how: 'save' | 'copy' | 'keep';
  readonly mail: PlacedMail;
  readonly uid: Uid;
  readonly keywords: readonly string[];
  readonly base: string;
  /** `cur/…` or `new/…`. */
  readonly at: string;
  /** Whether it has to come through tmp/ (`workshop.name(at)`). */
  readonly arrives: boolean;
  /** For copies and kept mails, `cur/…` or `new/…`. */
  readonly source: string | null;
  /** For a save whose file in tmp/ was named for this place. */
  readonly namedFor: string | null;
}

/** A mail whose file gets another name. */
export interface PlannedRename {
  readonly uid: Uid;
  readonly from: string;
  readonly to: string;
}

/** A mail's flags and keywords as they are to be, and the name that its file then has. */
export interface PlannedFlags {
  readonly uid: Uid;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modseq: bigint;
  readonly name: string;
}

/** What a commit carries out. */
export interface CommitPlan {
  readonly mails: readonly PlannedMail[];
  readonly flagged: readonly PlannedFlags[];
  readonly renumbered: readonly { readonly from: Uid; readonly to: Uid }[];
  readonly expunged: readonly JournalMail[];
  /** Flag changes, and mails that a client has now been shown. */
  readonly renames: readonly PlannedRename[];
  readonly letters: KeywordLetters;
  readonly uids: SettledUids;
  readonly uidNext: number;
  /** As a listing would tell it afterwards. */
  readonly firstRecentUid: number;
}

/** `view` and `memory`: the mailbox under the lock, once by its files and once by the journal. */
export function planCommit(work: Work, view: View, memory: MailboxMemory, clock: BaseClock): CommitPlan {
  const { head } = memory;
  const uids = work.rebuild === null ? settle(work, memory) : NOTHING_SETTLED;
  const final = (uid: number): Uid => checkedUid(uids.wanted.get(uid) ?? uid);
  const wanted = new Set([...work.saved, ...work.copied].flatMap(({ mail }) => mail.keywords));
  const letters = addKeywords(view.letters, [
    ...wanted,
    ...[...work.flagged.values()].flatMap(({ keywords }) => keywords),
  ]);
  const shown = Math.max(work.rebuild === null ? head.firstRecentUid : 1, work.numbers.firstRecentUid ?? 0);

  const expunged = [...work.expunged.keys()]
    .flatMap((uid) => memory.mail(uid) ?? [])
    .filter((mail) => work.expunged.get(mail.uid) === mail.guid);
  const gone = new Set<number>(expunged.map(({ uid }) => uid));
  const lives = (uid: number): boolean => !gone.has(uid) && memory.mail(uid) !== undefined;
  const mails = planMails(work, view, { letters, final, firstRecentUid: shown }, clock);
  const flagged = [...work.flagged]
    .filter(([uid]) => lives(uid))
    .map(([uid, change]) => planFlags(uid, change, memory, letters));
  const renumbered = [
    ...[...work.renumbered].filter(([from]) => lives(from)).map(([from, to]) => ({ from, to: final(to) })),
    ...[...uids.racing]
      .filter(([from]) => !gone.has(from))
      .map(([from, to]) => ({ from: checkedUid(from), to: checkedUid(to) })),
  ];
  const renames = [
    ...flagged.flatMap(({ uid, name }) => renameOf(uid, memory, name)),
    ...(shown > head.firstRecentUid && work.rebuild === null
      ? shownMails(view, memory, shown, new Set([...gone, ...flagged.map(({ uid }) => uid)]))
      : []),
  ];
  const highest = [...mails.map(({ uid }) => uid), ...renumbered.map(({ to }) => to)].reduce(
    (max, uid) => Math.max(max, uid),
    0,
  );
  const uidNext = Math.max(
    highest + 1,
    work.numbers.uidNext ?? 1,
    work.rebuild === null ? Math.max(head.uidNext, uidNextOf(view.uidlist)) : 1,
  );
  const after = function* (): Generator<{ readonly uid: number; readonly at: string | undefined }> {
    if (work.rebuild === null) yield* stayingMails(view, gone, renames, renumbered);
    yield* mails;
  };
  // A block of a first copy knows the mark that holds at its end.
  const firstRecentUid = firstUnshown(after(), Math.min(shown, uidNext));
  return { mails, flagged, renumbered, expunged, renames, letters, uids, uidNext, firstRecentUid };
}

/** Mails that were there before and stay, with the UIDs and places that they have then; one by one, there may be very many. */
function* stayingMails(
  { uidlist, files }: View,
  gone: ReadonlySet<number>,
  renames: readonly PlannedRename[],
  renumbered: readonly { readonly from: number; readonly to: number }[],
): Generator<{ readonly uid: number; readonly at: string | undefined }> {
  const renamed = new Map(renames.map(({ uid, to }): [number, string] => [uid, to]));
  const moved = new Map(renumbered.map(({ from, to }): [number, number] => [from, to]));
  for (const { uid, base } of uidlist.records) {
    if (!gone.has(uid)) yield { uid: moved.get(uid) ?? uid, at: renamed.get(uid) ?? files.get(base)?.at };
  }
}

const NOTHING_SETTLED: SettledUids = { wanted: new Map(), racing: new Map(), uidsChanged: false };

function settle(work: Work, memory: MailboxMemory): SettledUids {
  const { uidNext } = memory.head;
  const wanted = [
    ...work.saved.map(({ mail }) => mail.uid),
    ...work.copied.map(({ mail }) => mail.uid),
    ...work.renumbered.values(),
  ];
  if (wanted.every((uid) => uid >= uidNext)) return NOTHING_SETTLED;
  const from = wanted.reduce((min, uid) => Math.min(min, uid), work.uidNextAtBegin);
  const present: number[] = [];
  for (const { uid } of memory.mails()) if (uid >= from && !work.renumbered.has(uid)) present.push(uid);
  return settleUids(wanted, work.uidNextAtBegin, uidNext, present);
}

/** By what new mails get their places. */
interface Placing {
  readonly letters: KeywordLetters;
  /** The UID that a mail gets which was to have this one. */
  readonly final: (uid: number) => Uid;
  readonly firstRecentUid: number;
}

function planMails(work: Work, view: View, placing: Placing, clock: BaseClock): PlannedMail[] {
  // A base name stands for one mail, also for one that is gone already: clients may remember its UID by it.
  const taken = new Set<string>();
  for (const { base } of view.uidlist.records) if (!view.files.has(base)) taken.add(base);
  /** A clock that was set back can make the same name again, more than once. */
  const free = (first: string, another: () => string): string => {
    let base = first;
    while (taken.has(base) || view.files.has(base)) base = another();
    taken.add(base);
    return base;
  };
  const reused = new Set<string>();
  const saves = work.saved.map((saved): PlannedMail => {
    const base = free(saved.base, () => makeBase(clock, sizeIn(saved.base, 'S') ?? 0, sizeIn(saved.base, 'W') ?? 0));
    const planned = place(saved.mail, base, placing);
    // The same text, and not a second copy of it: there may be tens of thousands.
    const at = planned.at === saved.at ? saved.at : planned.at;
    return { how: 'save', ...planned, at, arrives: true, source: null, namedFor: saved.at };
  });
  const copies = work.copied.flatMap(({ how, mail, source }): PlannedMail[] => {
    const file = view.files.get(baseOf(source));
    // Expunged by somebody else meanwhile: there is nothing left to copy, and the other side has it still.
    if (file === undefined) return [];
    if (how === 'keep' && !reused.has(file.base)) {
      reused.add(file.base);
      const planned = place(mail, file.base, placing);
      const { text } = lettersFor(placing.letters, mail.keywords);
      const at = planned.at.startsWith('new/') ? planned.at : `cur/${printFileName(file.base, mail.flags, text, file)}`;
      return [{ how, ...planned, at, arrives: false, source: file.at, namedFor: null }];
    }
    const another = (): string => baseOfCopy(file.base, clock);
    const planned = place(mail, free(another(), another), placing);
    return [{ how, ...planned, arrives: true, source: file.at, namedFor: null }];
  });
  return [...saves, ...copies].toSorted((a, b) => a.uid - b.uid);
}

/** Sizes go into a name only if they are known. */
function baseOfCopy(of: string, clock: BaseClock): string {
  const [physical, virtual] = [sizeIn(of, 'S'), sizeIn(of, 'W')];
  const base = makeBase(clock, physical ?? 0, virtual ?? 0);
  return physical === null || virtual === null ? (base.split(',', 1)[0] ?? base) : base;
}

function place(
  mail: PlacedMail,
  base: string,
  { letters, final, firstRecentUid }: Placing,
): Pick<PlannedMail, 'mail' | 'uid' | 'keywords' | 'base' | 'at'> {
  const uid = final(mail.uid);
  const { text, missing } = lettersFor(letters, mail.keywords);
  const at = placeOf(base, { uid, flags: mail.flags }, text, firstRecentUid);
  return { mail, uid, keywords: withMissing(letters, text, missing), base, at };
}

/** A new mail's line of the uidlist. A POP3 UIDL with blanks in it cannot stand there and is left out. */
export function recordOf({ mail, uid, base }: PlannedMail): UidlistRecord {
  const fields: string[] = [];
  if (mail.pop3Uidl !== undefined && !/\s/.test(mail.pop3Uidl))
    fields.push(`P${mail.pop3Uidl === base ? '' : mail.pop3Uidl}`);
  if (mail.pop3Order !== undefined) fields.push(`O${mail.pop3Order}`);
  return { uid, base, guid: mail.guid === base ? null : mail.guid, fields: fields.join(' ') };
}

function planFlags(uid: Uid, change: FlagChange, memory: MailboxMemory, letters: KeywordLetters): PlannedFlags {
  const now = memory.mail(uid);
  const { flags, keywords } = now === undefined ? change : merged(change, now);
  const { text, missing } = lettersFor(letters, keywords);
  const name = now?.name ?? '';
  const parsed = parseFileName(name.slice(4));
  const stays = name.startsWith('new/') && flags === 0 && text === '' && parsed?.hasInfo === false;
  const at = stays || parsed === null ? name : `cur/${printFileName(parsed.base, flags, text, parsed)}`;
  return { uid, flags, keywords: withMissing(letters, text, missing), modseq: change.modseq, name: at };
}

/** What the file name tells, and what only the journal does. */
function withMissing(letters: KeywordLetters, text: string, missing: readonly string[]): readonly string[] {
  return missing.length === 0 ? keywordsOf(letters, text) : [...keywordsOf(letters, text), ...missing];
}

/** The wanted flags, with what a user changed since they were asked for put on top. */
function merged(change: FlagChange, now: JournalMail): { flags: number; keywords: readonly string[] } {
  const { before } = change;
  if (before === undefined || (before.flags === now.flags && before.keywords === now.keywords)) return change;
  const added = now.flags & ~before.flags;
  const removed = before.flags & ~now.flags;
  const keywords = [
    ...withoutKeywords(change.keywords, withoutKeywords(before.keywords, now.keywords)),
    ...withoutKeywords(now.keywords, before.keywords),
  ];
  return { flags: (change.flags | added) & ~removed, keywords: [...new Set(keywords)] };
}

function renameOf(uid: Uid, memory: MailboxMemory, to: string): PlannedRename[] {
  const from = memory.mail(uid)?.name ?? to;
  return from === to ? [] : [{ uid, from, to }];
}

function some<T>(all: Iterable<T>, holds: (one: T) => boolean): boolean {
  for (const one of all) if (holds(one)) return true;
  return false;
}

/** Mails in new/ that a client of the other side has been shown: their place is cur/ now. */
function shownMails(
  { files }: View,
  memory: MailboxMemory,
  firstRecentUid: number,
  except: ReadonlySet<number>,
): PlannedRename[] {
  const renames: PlannedRename[] = [];
  if (!some(files.values(), ({ at }) => at.startsWith('new/'))) return renames;
  for (const mail of memory.mails()) {
    if (mail.uid >= firstRecentUid) break;
    if (!mail.name.startsWith('new/') || except.has(mail.uid)) continue;
    const name = mail.name.slice(4);
    renames.push({ uid: mail.uid, from: mail.name, to: name.includes(':') ? `cur/${name}` : `cur/${name}:2,` });
  }
  return renames;
}
