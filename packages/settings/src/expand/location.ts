import { SettingsError, type Origin } from '../errors.ts';

/** Where mail lies, with variables still in it. */
export interface MailLocation {
  /** `maildir`, `mbox`, `sdbox`, … in lower case. */
  readonly driver: string;
  readonly path: string;
  readonly layout?: string;
  readonly control?: string;
  readonly index?: string;
  readonly inbox?: string;
  readonly origin?: Origin;
}

const KEYS: Readonly<Record<string, 'layout' | 'control' | 'index' | 'inbox'>> = {
  LAYOUT: 'layout',
  CONTROL: 'control',
  INDEX: 'index',
  INBOX: 'inbox',
};

/** Keys of Dovecot that change nothing of what is synchronised, or that every one of our stores can do without. */
const IGNORED_KEYS = new Set(['VOLATILEDIR', 'INDEXPVT', 'INDEXCACHE', 'BROKENCHAR', 'NO-NOSELECT', 'ITERINDEX']);

/**
 * Reads `driver:PATH[:KEY=value…]` (2.3's mail_location, and a destination).
 * @throws {SettingsError} `BadValue`
 */
export function parseLocation(text: string, origin?: Origin): MailLocation {
  const at = origin === undefined ? {} : { origin };
  const match = /^([A-Za-z0-9]+):([^:]*)((?::[\s\S]*)?)$/.exec(text);
  if (match === null)
    throw new SettingsError('BadValue', `a mail location is driver:PATH[:KEY=value…], not ${JSON.stringify(text)}`, at);
  const [, driver = '', path = '', rest = ''] = match;
  if (path === '') throw new SettingsError('BadValue', `${driver}: has no path`, at);
  const fields: { layout?: string; control?: string; index?: string; inbox?: string } = {};
  for (const item of rest.split(':').slice(1)) {
    const equals = item.indexOf('=');
    const key = (equals < 0 ? item : item.slice(0, equals)).toUpperCase();
    const field = KEYS[key];
    if (field !== undefined && equals > 0) fields[field] = item.slice(equals + 1);
    else if (!IGNORED_KEYS.has(key))
      throw new SettingsError('BadValue', `unknown key ${JSON.stringify(item)} in a mail location`, at);
  }
  return { driver: driver.toLowerCase(), path, ...fields, ...at };
}
