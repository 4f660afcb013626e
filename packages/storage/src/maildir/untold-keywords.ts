/**
 * Keywords for which a Maildir has no letter left: what no file name tells. The journal has them; `dovecot-keywords.dsync`
 * has them once more, for mails that the journal does not remember, because it was lost or a run was killed before it
 * could be written. One line for each mail: the keywords, separated by blanks, then ` :` and the base name.
 */
import type { JournalMail } from '../journal/journal.ts';
import { baseAt, parseFileName } from './file-name.ts';
import { hiddenKeywords, type KeywordLetters } from './keywords-file.ts';

/** By base name; mails without any are left out. */
export type UntoldKeywords = ReadonlyMap<string, readonly string[]>;

/** The whole file. */
export function printUntold(untold: UntoldKeywords): string {
  return [...untold].map(([base, keywords]) => `${keywords.join(' ')} :${base}\n`).join('');
}

/** What is no line of this form is left out: the file is a second copy, and no reason to stop. */
export function parseUntold(text: string): UntoldKeywords {
  const untold = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(' :');
    if (colon > 0) untold.set(line.slice(colon + 2), line.slice(0, colon).split(' '));
  }
  return untold;
}

/** Of remembered mails. */
export function untoldOf(letters: KeywordLetters, remembered: Iterable<JournalMail>): UntoldKeywords {
  const untold = new Map<string, readonly string[]>();
  for (const mail of remembered) noteUntold(untold, letters, mail.name, mail.keywords);
  return untold;
}

/** Adds those of one mail, if it has any. @param name `cur/…` or `new/…` */
export function noteUntold(
  untold: Map<string, readonly string[]>,
  letters: KeywordLetters,
  name: string,
  keywords: readonly string[],
): void {
  if (keywords.length === 0) return;
  const found = untoldKeywords(letters, name, keywords);
  if (found.length > 0) untold.set(baseAt(name), found);
}

/** Those that the name of the mail's file (`cur/…`, `new/…`) does not tell. */
export function untoldKeywords(letters: KeywordLetters, name: string, keywords: readonly string[]): readonly string[] {
  return hiddenKeywords(letters, keywords, parseFileName(name.slice(4))?.keywordLetters ?? '');
}
