/** The two kinds of patterns that mailboxes are selected with. Both take time proportional to name × pattern. */

type Matches = (char: string) => boolean;
/** One character, or any run of characters. */
type Step = { readonly run: boolean; readonly matches: Matches };

/**
 * An IMAP LIST pattern (RFC 9051 6.3.9.1): `*` any run of characters, `%` any run without the separator; `INBOX` as the
 * first level in any case.
 */
export function matchesListPattern(name: string, pattern: string, separator: string): boolean {
  const steps = Array.from(inboxUpper(pattern, separator), (char): Step => {
    if (char === '*') return { run: true, matches: () => true };
    if (char === '%') return { run: true, matches: (c) => c !== separator };
    return { run: false, matches: (c) => c === char };
  });
  return matches(name, steps);
}

/** A mask of `-x`: `*` any run of characters, the separator included, `?` any one character; case counts. */
export function matchesMask(name: string, mask: string): boolean {
  const steps = Array.from(mask, (char): Step => {
    if (char === '*') return { run: true, matches: () => true };
    if (char === '?') return { run: false, matches: () => true };
    return { run: false, matches: (c) => c === char };
  });
  return matches(name, steps);
}

function inboxUpper(pattern: string, separator: string): string {
  const next = pattern.charAt(5);
  const whole = next === '' || next === separator || next === '*' || next === '%';
  return whole && pattern.slice(0, 5).toUpperCase() === 'INBOX' ? `INBOX${pattern.slice(5)}` : pattern;
}

/** Follows all ways through the pattern at once, so that no pattern makes it go back. */
function matches(name: string, steps: readonly Step[]): boolean {
  let at = reachable(steps, [0]);
  for (const char of name) {
    const next: number[] = [];
    for (const i of at) {
      const step = steps[i];
      if (step?.matches(char)) next.push(step.run ? i : i + 1);
    }
    at = reachable(steps, next);
    if (at.length === 0) return false;
  }
  return at.includes(steps.length);
}

/** The positions and those that follow them because a run may be empty; each once. */
function reachable(steps: readonly Step[], from: readonly number[]): number[] {
  const found = new Set<number>();
  for (let i of from) {
    for (; !found.has(i); i++) {
      found.add(i);
      if (!steps[i]?.run) break;
    }
  }
  return [...found];
}
