/**
 * `dovecot-keywords`: which keyword each of the file name letters `a`…`z` stands for.
 * Lines `<n> <name>`, n = 0…25; gaps are allowed; names compare without case.
 *
 * When the letters are used up, the keywords of a mail beyond them are known to the journal alone; Dovecot keeps such in
 * its index. No file name tells of them, so no other program can have taken them away: they stay until a sync does it.
 */
import { StoreError } from '../errors.ts';

/** Names by letter number; undefined where there is none. At most 26. */
export type KeywordLetters = readonly (string | undefined)[];

/** `a` to `z`. */
export const MAX_LETTERS = 26;

/** @throws {StoreError} `Corrupt`, naming file and line */
export function parseKeywords(text: string, file: string): KeywordLetters {
  const letters: (string | undefined)[] = [];
  text.split('\n').forEach((line, i) => {
    if (line === '') return;
    const match = /^(\d{1,2}) ([^\s]+)$/.exec(line);
    const n = Number(match?.[1] ?? NaN);
    if (match === null || !(n < MAX_LETTERS)) {
      throw new StoreError('Corrupt', `${file} line ${i + 1}: malformed keyword ${JSON.stringify(line.slice(0, 80))}`);
    }
    letters[n] = match[2];
  });
  return letters;
}

/** The whole file. */
export function printKeywords(letters: KeywordLetters): string {
  let text = '';
  for (const [n, name] of letters.entries()) if (name !== undefined) text += `${n} ${name}\n`;
  return text;
}

/** The keywords that the letters of a file name stand for; a letter without a name is `unknown-<n>`, as Dovecot has it. */
export function keywordsOf(letters: KeywordLetters, text: string): readonly string[] {
  if (text === '') return NONE;
  return Array.from(text, (letter) => {
    const n = letter.charCodeAt(0) - 97;
    return letters[n] ?? `unknown-${n}`;
  });
}

/** `letters` with every keyword of `wanted` for which there is still a free letter. The same object if none is new. */
export function addKeywords(letters: KeywordLetters, wanted: Iterable<string>): KeywordLetters {
  let result = letters;
  for (const keyword of wanted) {
    if (letterOf(result, keyword) !== null) continue;
    const free = firstFree(result);
    if (free === null) break;
    const next = [...result];
    next[free] = keyword;
    result = next;
  }
  return result;
}

/** The letters of a file name for these keywords, sorted; `missing` are those for which there is no letter left. */
export function lettersFor(
  letters: KeywordLetters,
  keywords: readonly string[],
): { readonly text: string; readonly missing: readonly string[] } {
  if (keywords.length === 0) return { text: '', missing: NONE };
  const found = new Set<string>();
  const missing: string[] = [];
  for (const keyword of keywords) {
    const letter = letterOf(letters, keyword);
    if (letter === null) missing.push(keyword);
    else found.add(letter);
  }
  return { text: [...found].toSorted().join(''), missing };
}

/**
 * The keywords of a remembered mail that its file name did not tell.
 * @param letters as they are now
 * @param text the letters of the file name that is remembered
 */
export function hiddenKeywords(letters: KeywordLetters, keywords: readonly string[], text: string): readonly string[] {
  if (keywords.length <= text.length) return NONE;
  return keywords.filter((keyword) => {
    const letter = letterOf(letters, keyword) ?? unknownLetter(keyword);
    return letter === null || !text.includes(letter);
  });
}

/** The letter that was called so for want of a name. */
function unknownLetter(keyword: string): string | null {
  const n = Number(/^unknown-(\d{1,2})$/.exec(keyword)?.[1] ?? NaN);
  return n < MAX_LETTERS ? String.fromCharCode(97 + n) : null;
}

function letterOf(letters: KeywordLetters, keyword: string): string | null {
  const name = keyword.toLowerCase();
  const n = letters.findIndex((known) => known?.toLowerCase() === name);
  return n < 0 ? null : String.fromCharCode(97 + n);
}

function firstFree(letters: KeywordLetters): number | null {
  for (let n = 0; n < MAX_LETTERS; n++) if (letters[n] === undefined) return n;
  return null;
}

const NONE: readonly string[] = [];
