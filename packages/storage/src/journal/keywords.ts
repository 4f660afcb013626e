/** Lists of keywords. Two keywords that differ only in case are one (RFC 9051 §2.3.2); the spelling met first stays. */

/** Sorted without regard to case, each once. */
export function normalKeywords(keywords: readonly string[]): readonly string[] {
  if (keywords.length === 0) return NONE;
  const byName = new Map<string, string>();
  for (const keyword of keywords) {
    const name = keyword.toLowerCase();
    if (!byName.has(name)) byName.set(name, keyword);
  }
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, keyword]) => keyword);
}

/** Whether two lists hold the same keywords, whatever their order and case. */
export function sameKeywords(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 && b.length === 0) return true;
  return withoutKeywords(a, b).length === 0 && withoutKeywords(b, a).length === 0;
}

/** The keywords of `a` that are not in `b`. */
export function withoutKeywords(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length === 0 || b.length === 0) return a;
  const names = new Set(b.map((keyword) => keyword.toLowerCase()));
  return a.filter((keyword) => !names.has(keyword.toLowerCase()));
}

const NONE: readonly string[] = [];
