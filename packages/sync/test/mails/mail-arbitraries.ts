/** Pairs of mailboxes as they come to be: a shared past, then changes on both sides with or without a memory of them. */
import { guid128 } from '@dsync/protocol';
import fc from 'fast-check';

import { ModelMailbox } from './model-mailbox.ts';

/** Few, so that sides meet; some are not ASCII, one has the 128-bit form. */
export const GUIDS = ['a', 'b', 'c', 'd', 'e', 'f', 'é1', '\u{1f600}x', '0123456789abcdef0123456789abcdef'] as const;
const KEYWORDS = ['kw1', 'KW1', 'Kw2', 'kw2', '$Label1'] as const;

type Edit =
  | { readonly op: 'append'; readonly guid: string; readonly flags: number; readonly keywords: readonly string[] }
  | { readonly op: 'expunge'; readonly nth: number; readonly record: 'text' | '128' | 'null' | 'none' }
  | { readonly op: 'flags'; readonly nth: number; readonly flags: number; readonly keywords: readonly string[] }
  | { readonly op: 'bump'; readonly by: number }
  | { readonly op: 'forget' }
  | { readonly op: 'renumber' };

const flags = fc.integer({ min: 0, max: 31 });
/** At most one of each, without regard to case. */
const keywords = fc.uniqueArray(fc.constantFrom(...KEYWORDS), { maxLength: 2, selector: (k) => k.toLowerCase() });

/** New mails have few GUIDs, so that both sides get the same ones, and duplicates. `forgetful`: histories get lost. */
export function edits(kinds: { readonly forgetful: boolean }): fc.Arbitrary<readonly Edit[]> {
  const nth = fc.nat({ max: 9 });
  const records = kinds.forgetful ? (['text', '128', 'null', 'none'] as const) : (['text', '128'] as const);
  const append: fc.Arbitrary<Edit> = fc.record({
    op: fc.constant('append' as const),
    guid: fc.constantFrom(...GUIDS),
    flags,
    keywords,
  });
  const expunge: fc.Arbitrary<Edit> = fc.record({
    op: fc.constant('expunge' as const),
    nth,
    record: fc.constantFrom(...records),
  });
  const setFlags: fc.Arbitrary<Edit> = fc.record({ op: fc.constant('flags' as const), nth, flags, keywords });
  const bump: fc.Arbitrary<Edit> = fc.record({ op: fc.constant('bump' as const), by: fc.integer({ min: 1, max: 4 }) });
  const forget = fc.constantFrom<Edit>({ op: 'forget' }, { op: 'renumber' });
  const edit = fc.oneof(
    { weight: 5, arbitrary: append },
    { weight: 4, arbitrary: expunge },
    { weight: 4, arbitrary: setFlags },
    { weight: 1, arbitrary: bump },
    { weight: kinds.forgetful ? 2 : 0, arbitrary: forget },
  );
  return fc.array(edit, { maxLength: 8 });
}

/** Does what users did, in order. */
export function applyEdits(box: ModelMailbox, list: readonly Edit[]): void {
  for (const edit of list) {
    const uids = [...box.mails.keys()].toSorted((a, b) => a - b);
    const uid = 'nth' in edit && uids.length > 0 ? (uids[edit.nth % uids.length] ?? 0) : 0;
    if (edit.op === 'append') box.append(edit.guid, edit.flags, edit.keywords);
    else if (edit.op === 'bump') box.uidNext += edit.by;
    else if (edit.op === 'forget') box.loseHistory();
    else if (edit.op === 'renumber') box.renumberAll(box.uidValidity + 1);
    else if (uid !== 0 && edit.op === 'expunge') box.expunge(uid, edit.record, guid128);
    else if (uid !== 0 && edit.op === 'flags') box.setFlags(uid, edit.flags, edit.keywords);
  }
}

/** A mailbox that both sides once had alike, with gaps and duplicates. */
const past = fc
  .array(fc.record({ guid: fc.constantFrom(...GUIDS), flags, keywords, gap: fc.constantFrom(0, 0, 0, 1, 3) }), {
    maxLength: 7,
  })
  .map((mails) => {
    const box = new ModelMailbox();
    for (const mail of mails) {
      box.uidNext += mail.gap;
      box.put(box.uidNext, mail.guid, mail.flags, mail.keywords);
    }
    return box;
  });

/** @param kinds whether sides may have lost their history */
export function pairs(
  kinds: { readonly forgetful: boolean } = { forgetful: true },
): fc.Arbitrary<readonly [ModelMailbox, ModelMailbox]> {
  const shared = fc.tuple(past, edits(kinds), edits(kinds)).map(([box, here, there]) => {
    const [a, b] = [box.copy(), box.copy()];
    applyEdits(a, here);
    applyEdits(b, there);
    return [a, b] as const;
  });
  if (!kinds.forgetful) return shared;
  const strangers = fc.tuple(past, past, edits(kinds), edits(kinds)).map(([a, b, here, there]) => {
    applyEdits(a, here);
    applyEdits(b, there);
    return [a, b] as const;
  });
  return fc.oneof({ weight: 4, arbitrary: shared }, { weight: 1, arbitrary: strangers });
}
