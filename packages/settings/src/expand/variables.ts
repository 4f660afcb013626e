/**
 * %-variables of 2.3 (`%u`, `%Ln`, `%1.1u`, `%{domain}`) and 2.4 (`%{user | username | lower}`), and `~`.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';

import { SettingsError, type Origin } from '../errors.ts';

/** What variables can stand for. */
export interface VariableValues {
  readonly user: string;
  /** The user's home; null if none is known: using it is then an error. */
  readonly home: string | null;
  readonly uid?: number;
  readonly gid?: number;
  /** `remote:` destinations. */
  readonly login?: string;
  readonly host?: string;
}

const SHORT: Readonly<Record<string, string>> = {
  u: 'user',
  n: 'username',
  d: 'domain',
  h: 'home',
  i: 'uid',
  g: 'gid',
  p: 'pid',
};

/** Values by name; null: no such variable. */
function lookUp(name: string, values: VariableValues): string | null {
  const { user } = values;
  switch (name) {
    case 'user':
      return user;
    case 'username':
      return user.split('@', 1)[0] ?? '';
    case 'domain':
      return user.includes('@') ? user.slice(user.indexOf('@') + 1) : '';
    case 'home':
      return values.home;
    case 'uid':
      return values.uid === undefined ? '' : String(values.uid);
    case 'gid':
      return values.gid === undefined ? '' : String(values.gid);
    case 'login':
      return values.login ?? '';
    case 'host':
      return values.host ?? '';
    case 'pid':
      return String(process.pid);
    case 'hostname':
    case 'system:hostname':
      return hostname();
    default:
      return name.startsWith('env:') || name.startsWith('system:env:')
        ? (process.env[name.slice(name.lastIndexOf(':') + 1)] ?? '')
        : null;
  }
}

const FILTERS = named({
  username: (v) => v.split('@', 1)[0] ?? '',
  domain: (v) => (v.includes('@') ? v.slice(v.indexOf('@') + 1) : ''),
  lower: (v) => v.toLowerCase(),
  upper: (v) => v.toUpperCase(),
  reverse: (v) => Array.from(v).toReversed().join(''),
  md5: (v) => createHash('md5').update(v).digest('hex'),
  sha1: (v) => createHash('sha1').update(v).digest('hex'),
  sha256: (v) => createHash('sha256').update(v).digest('hex'),
  hexlify: (v) => Buffer.from(v).toString('hex'),
});

/** Letters before a 2.3 variable; applied from left to right. */
const MODIFIERS = named({
  L: (v) => v.toLowerCase(),
  U: (v) => v.toUpperCase(),
  R: (v) => Array.from(v).toReversed().join(''),
  M: (v) => createHash('md5').update(v).digest('hex'),
  T: (v) => v.trim(),
  E: (v) => v.replace(/["'\\]/g, '\\$&'),
});

/** A map, so that nothing but what is listed has a name, `constructor` and its like least of all. */
function named(
  functions: Readonly<Record<string, (value: string) => string>>,
): ReadonlyMap<string, (value: string) => string> {
  return new Map(Object.entries(functions));
}

const VARIABLE = /%(?:%|(-?[0-9]+)?(?:\.(-?[0-9]+))?([A-Z]*)(?:\{([^{}]*)\}|([a-z])))/g;

/**
 * `text` with its variables replaced.
 * @throws {SettingsError} `BadValue` for an unknown variable or filter, `NoSuchUser` where a home is needed and not known
 */
export function expandVariables(text: string, values: VariableValues, origin?: Origin): string {
  const at = origin === undefined ? {} : { origin };
  return text.replace(
    VARIABLE,
    (
      all,
      first: string | undefined,
      second: string | undefined,
      modifiers: string,
      long: string | undefined,
      short: string | undefined,
    ) => {
      if (all === '%%') return '%';
      const [name = '', ...filters] = (long ?? SHORT[short ?? ''] ?? `%${short ?? ''}`)
        .split('|')
        .map((part) => part.trim());
      let value = lookUp(name, values);
      if (name === 'home' && value === null)
        throw new SettingsError('NoSuchUser', `no home folder is known for user ${values.user}`, at);
      if (value === null) throw new SettingsError('BadValue', `unknown variable ${all}`, at);
      for (const filter of filters) {
        const apply = FILTERS.get(filter);
        if (apply === undefined) throw new SettingsError('BadValue', `unknown filter ${filter} in ${all}`, at);
        value = apply(value);
      }
      for (const modifier of modifiers) {
        const apply = MODIFIERS.get(modifier);
        if (apply === undefined) throw new SettingsError('BadValue', `unknown modifier ${modifier} in ${all}`, at);
        value = apply(value);
      }
      return cut(value, first, second);
    },
  );
}

/** `%2u`: at most two characters; `%1.2u`: two from the second; negative offsets count from the end. */
function cut(value: string, first: string | undefined, second: string | undefined): string {
  if (first === undefined && second === undefined) return value;
  const characters = Array.from(value);
  const offset = second === undefined ? 0 : Number(first ?? 0);
  const width = Number(second ?? first);
  const from = offset < 0 ? Math.max(0, characters.length + offset) : offset;
  return characters.slice(from, width < 0 ? width : from + width).join('');
}

/** Variables, and a leading `~` as the home. @throws as `expandVariables` */
export function expandPath(text: string, values: VariableValues, origin?: Origin): string {
  const expanded = expandVariables(text, values, origin);
  if (expanded !== '~' && !expanded.startsWith('~/')) return expanded;
  if (values.home === null) {
    throw new SettingsError(
      'NoSuchUser',
      `no home folder is known for user ${values.user}`,
      origin === undefined ? {} : { origin },
    );
  }
  return values.home + expanded.slice(1);
}
