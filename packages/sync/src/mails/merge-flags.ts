/**
 * One mail's flags and keywords out of both sides'. Keywords that differ only in case are one:
 * a store keeps only one of them, so that told apart they would never be equal.
 */
import { ALL_FLAGS } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

/** A mail's flags, a mask of `FLAG`, and its keywords. */
export interface Flags {
  readonly flags: number;
  /** Sorted, and unique, without regard to case. */
  readonly keywords: readonly string[];
}

/**
 * What a difference that no recorded action explains comes to: for two mails that had one UID, and so were once equal,
 * the preferred side's value (`preferred`); for two that were never in agreement nothing was ever taken away (`union`).
 */
export type Unexplained = 'preferred' | 'union';

const NO_KEYWORDS: readonly string[] = [];

/**
 * Whether there is nothing to change. A store may keep one spelling of a keyword for a whole mailbox (Maildir), so another
 * spelling alone is no difference: the change could not be made, and would be planned again in every run.
 */
export function sameFlags(a: Flags, b: Flags): boolean {
  if (a.flags !== b.flags || a.keywords.length !== b.keywords.length) return false;
  if (a.keywords.every((keyword, i) => keyword === b.keywords[i])) return true;
  const theirs = names(b.keywords);
  return a.keywords.every((keyword) => theirs.has(keyword.toLowerCase()));
}

/** @param spell the one spelling that a keyword gets on both sides */
export function mergeFlags(
  preferred: MailRecord,
  other: MailRecord,
  unexplained: Unexplained,
  spell: (keyword: string) => string,
): Flags {
  return {
    flags: mergeSystemFlags(preferred, other, unexplained),
    keywords: mergeKeywords(preferred, other, unexplained, spell),
  };
}

function mergeSystemFlags(p: MailRecord, o: MailRecord, unexplained: Unexplained): number {
  const differing = (p.flags ^ o.flags) & ALL_FLAGS;
  if (differing === 0) return p.flags & ALL_FLAGS;
  // Of contrary actions only the preferred side's stays.
  const added = p.addedFlags | (o.addedFlags & ~p.removedFlags);
  const removed = p.removedFlags | (o.removedFlags & ~p.addedFlags);
  const rest = unexplained === 'union' ? p.flags | o.flags : p.flags;
  return ((p.flags & o.flags) | (differing & ~removed & (added | rest))) & ALL_FLAGS;
}

function mergeKeywords(
  p: MailRecord,
  o: MailRecord,
  unexplained: Unexplained,
  spell: (keyword: string) => string,
): readonly string[] {
  if (p.keywords.length === 0 && o.keywords.length === 0) return NO_KEYWORDS;
  const mine = names(p.keywords);
  const theirs = names(o.keywords);
  const has = {
    pAdded: names(p.addedKeywords),
    pRemoved: names(p.removedKeywords),
    oAdded: names(o.addedKeywords),
    oRemoved: names(o.removedKeywords),
  };
  const kept: string[] = [];
  for (const name of new Set([...mine, ...theirs])) {
    if (mine.has(name) && theirs.has(name)) {
      kept.push(name);
      continue;
    }
    const added = has.pAdded.has(name) || (has.oAdded.has(name) && !has.pRemoved.has(name));
    const removed = has.pRemoved.has(name) || (has.oRemoved.has(name) && !has.pAdded.has(name));
    if (!removed && (added || unexplained === 'union' || mine.has(name))) kept.push(name);
  }
  return kept.sort().map(spell);
}

function names(keywords: readonly string[]): ReadonlySet<string> {
  return new Set(keywords.map((keyword) => keyword.toLowerCase()));
}

/**
 * One spelling for each keyword of a mailbox: the one met first, `first`'s mails before `second`'s. A store that keeps one
 * spelling for a whole mailbox (Maildir) could not follow a choice made mail by mail.
 */
export function spellings(first: readonly MailRecord[], second: readonly MailRecord[]): (keyword: string) => string {
  let known: Map<string, string> | null = null;
  return (keyword) => {
    known ??= collect(first, second);
    return known.get(keyword.toLowerCase()) ?? keyword;
  };
}

function collect(first: readonly MailRecord[], second: readonly MailRecord[]): Map<string, string> {
  const known = new Map<string, string>();
  for (const mails of [first, second]) {
    for (const mail of mails) {
      for (const keyword of mail.keywords) {
        const name = keyword.toLowerCase();
        if (!known.has(name)) known.set(name, keyword);
      }
    }
  }
  return known;
}
