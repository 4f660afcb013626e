/** Grammars of option values, doveadm's. Whatever is in none of them is refused, also where doveadm reads garbage as 0. */
import { counted } from '@dsync/protocol';
import { UsageError } from '@dsync/settings';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Names of units, of which any beginning will do; the first match counts, so `m` is minutes. Milliseconds each. */
const UNITS: readonly (readonly [readonly string[], number])[] = [
  [['secs', 'seconds'], 1000],
  [['mins', 'minutes'], 60_000],
  [['hours'], 3_600_000],
  [['days'], 86_400_000],
  [['weeks'], 604_800_000],
  [['msecs', 'mseconds', 'millisecs', 'milliseconds'], 1],
];

/**
 * `YYYY-MM-DD` or `D-Mon-YYYY` (midnight, local time), Unix time, or an interval before `now`.
 * @param now milliseconds
 * @returns Unix seconds
 * @throws {UsageError}
 */
export function parseDate(option: string, text: string, now: number): number {
  const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (iso !== null) return midnight(option, text, Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const imap = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text);
  if (imap !== null)
    return midnight(option, text, Number(imap[3]), MONTHS.indexOf((imap[2] ?? '').toLowerCase()) + 1, Number(imap[1]));
  if (/^\d{1,11}$/.test(text)) return Number(text);
  const interval = /^(\d{1,11}) *([A-Za-z]+)$/.exec(text);
  const word = interval?.[2]?.toLowerCase() ?? '';
  const unit = UNITS.find(([names]) => names.some((name) => name.startsWith(word)));
  if (interval === null || unit === undefined) throw invalid(option, text, 'Unknown date');
  const ms = Number(interval[1]) * unit[1];
  if (ms % 1000 !== 0) throw invalid(option, text, 'Milliseconds must be whole seconds');
  const seconds = Math.floor(now / 1000) - ms / 1000;
  if (seconds < 0) throw invalid(option, text, 'Date is too far back');
  return seconds;
}

function midnight(option: string, text: string, year: number, month: number, day: number): number {
  const date = new Date(year, month - 1, day);
  const real = date.getFullYear() === year && date.getMonth() === month - 1 && date.getDate() === day;
  const seconds = Math.floor(date.getTime() / 1000);
  if (!real || seconds < 0) throw invalid(option, text, 'There is no such date');
  return seconds;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** A number with an optional unit, powers of 1024. @returns bytes @throws {UsageError} */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+) *(?:(b)|([kmgt])i?b?)?$/i.exec(text);
  if (match === null) throw invalid(option, text, `Invalid size: ${text}`);
  const bytes = Number(match[1]) * (SIZE_UNITS[(match[3] ?? match[2] ?? '').toLowerCase()] ?? 1);
  if (!Number.isSafeInteger(bytes)) throw invalid(option, text, `Size is too large: ${text}`);
  return bytes;
}

const SYSTEM_FLAGS = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft', '\\Recent'];

/** A system flag or keyword, with `-` in front for its absence; system flags come back in their usual spelling. @throws {UsageError} */
export function parseFlag(option: string, text: string): string {
  if (text.includes(' ')) throw new UsageError(`${option} parameter doesn't support multiple flags currently`);
  const not = text.startsWith('-') ? '-' : '';
  const name = text.slice(not.length);
  if (!name.startsWith('\\')) {
    // IMAP keywords are atoms (RFC 9051 §9).
    if (!/^[!#-'+-[\]-z|}~\u0080-\uffff]+$/.test(name))
      throw new UsageError(`Invalid keyword given for ${option} parameter: '${text}'`);
    return text;
  }
  const known = SYSTEM_FLAGS.find((flag) => flag.toLowerCase() === name.toLowerCase());
  if (known === undefined) throw new UsageError(`Invalid system flag given for ${option} parameter: '${name}'`);
  return not + known;
}

/** A whole number of seconds, from `least` to 2^31 − 1. @throws {UsageError} */
export function parseSeconds(option: string, text: string, least: 0 | 1 = 0): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0x7fffffff)
    throw new UsageError(`Invalid ${option} parameter: ${text}`);
  if (Number(text) < least) throw new UsageError(`${option} needs at least ${counted(least, 'second')}, not ${text}`);
  return Number(text);
}

function invalid(option: string, text: string, why: string): UsageError {
  return new UsageError(`Invalid ${option} parameter '${text}': ${why}`);
}
