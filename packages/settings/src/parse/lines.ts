/** A line of a dovecot.conf, with the number of the line that it begins on, from 1. */
export interface LogicalLine {
  readonly text: string;
  readonly line: number;
}

/** The lines of a dovecot.conf: comments and blank lines taken away, lines that end in a backslash joined. */
export function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = [];
  let joined = '';
  let begin = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (joined === '') begin = index + 1;
    const line = withoutComment(raw).trim();
    if (line.endsWith('\\')) {
      joined += `${line.slice(0, -1).trimEnd()} `;
      continue;
    }
    const whole = (joined + line).trim();
    joined = '';
    if (whole !== '') lines.push({ text: whole, line: begin });
  }
  if (joined.trim() !== '') lines.push({ text: joined.trim(), line: begin });
  return lines;
}

/** A `#` begins a comment at the start of a line and after a blank, except within quotes. */
function withoutComment(line: string): string {
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (quote !== '') {
      if (c === '\\' && quote === '"') i++;
      else if (c === quote) quote = '';
    } else if (c === '#' && (i === 0 || /\s/.test(line.charAt(i - 1)))) {
      return line.slice(0, i);
    } else if ((c === '"' || c === "'") && opensValue(line, i)) {
      quote = c;
    }
  }
  return line;
}

/** Quotes count at the start of a value only: `name = "…"` and `section "name" {`. */
function opensValue(line: string, at: number): boolean {
  return /(^|[=\s])\s*$/.test(line.slice(0, at));
}

/** A value as it is meant: without its quotes, where a backslash keeps the next character. */
export function unquote(value: string): string {
  const quote = value.charAt(0);
  if (value.length < 2 || (quote !== '"' && quote !== "'") || !value.endsWith(quote)) return value;
  const inner = value.slice(1, -1);
  return quote === '"' ? inner.replace(/\\(.)/g, '$1') : inner;
}
