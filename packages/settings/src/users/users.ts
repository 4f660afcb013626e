/** Who is a user, by the configuration's `userdb` sections: `static` and `passwd-file`. */
import { readFileSync } from 'node:fs';

import { notReadable, SettingsError } from '../errors.ts';
import { expandVariables, type VariableValues } from '../expand/variables.ts';
import type { Section, Setting } from '../parse/section.ts';

/** What a user database says of one user. Variables are expanded. */
export interface UserRecord {
  readonly home?: string;
  /** Overrides `mail_location`, in its 2.3 form. */
  readonly mail?: string;
  readonly uid?: string;
  readonly gid?: string;
}

/** `unknown`: databases are configured and none has the user; `none`: no database that we can read is configured. */
export type UserAnswer =
  | { readonly kind: 'found'; readonly record: UserRecord }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' };

/**
 * Asks the databases in their order.
 * @throws {SettingsError} for a file that cannot be read or a wrong value
 */
export function findUser(root: Section, user: string, debug: (text: string) => void): UserAnswer {
  let asked = false;
  for (const section of root.of('userdb')) {
    const driver = driverOf(section);
    if (driver === 'static') return { kind: 'found', record: staticUser(section, user) };
    if (driver === 'passwd-file') {
      asked = true;
      const record = passwdFileUser(section, user);
      if (record !== null) return { kind: 'found', record };
    } else if (driver !== 'prefetch') {
      debug(`userdb driver ${driver} is not read; users are known by their mail folders`);
    }
  }
  return { kind: asked ? 'unknown' : 'none' };
}

/** 2.3: `driver = static`; 2.4: `userdb static { … }`, where a `driver` inside wins. */
function driverOf(section: Section): string {
  return section.get('driver')?.value ?? section.get('userdb_driver')?.value ?? section.name;
}

function staticUser(section: Section, user: string): UserRecord {
  const fields = new Map<string, string>();
  for (const word of (section.get('args')?.value ?? '').split(/\s+/)) addField(fields, word);
  for (const block of section.of('fields')) for (const [name, { value }] of block.settings) fields.set(name, value);
  return recordOf(fields, user, section.get('args'));
}

function addField(fields: Map<string, string>, word: string): void {
  const at = word.indexOf('=');
  if (at > 0) fields.set(word.slice(0, at).replace(/^userdb_/, ''), word.slice(at + 1));
}

function recordOf(fields: ReadonlyMap<string, string>, user: string, setting: Setting | undefined): UserRecord {
  const values: VariableValues = { user, home: null };
  const expand = (text: string): string => expandVariables(text, values, setting?.origin);
  const home = fields.get('home');
  const mail = fields.get('mail');
  const uid = fields.get('uid');
  const gid = fields.get('gid');
  return {
    ...(home ? { home: expand(home) } : {}),
    ...(mail ? { mail: expandVariables(mail, { user, home: home ? expand(home) : null }, setting?.origin) } : {}),
    ...(uid ? { uid } : {}),
    ...(gid ? { gid } : {}),
  };
}

/** `user:password:uid:gid:gecos:home:shell:extra fields`; a line with fewer fields is fine. */
function passwdFileUser(section: Section, user: string): UserRecord | null {
  const setting = section.get('passwd_file_path') ?? section.get('args');
  // 2.3: options may stand before the path, `args = username_format=%n /etc/users`
  const words = (setting?.value ?? '').trim().split(/\s+/);
  const template = words.at(-1) ?? '';
  const format = words.find((word) => word.startsWith('username_format='))?.slice('username_format='.length);
  const origin = setting?.origin ?? section.origin ?? undefined;
  const at = origin === undefined ? {} : { origin };
  if (!template.startsWith('/')) throw new SettingsError('BadValue', 'passwd-file needs an absolute path', at);
  const name = format === undefined ? user : expandVariables(format, { user, home: null }, origin);
  const file = expandVariables(template, { user, home: null }, origin);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw notReadable(`the users in ${file}`, cause, origin);
  }
  const line = text.split(/\r?\n/).find((l) => !l.startsWith('#') && (l === name || l.startsWith(`${name}:`)));
  if (line === undefined) return null;
  const [, , uid = '', gid = '', , home = '', , ...extra] = line.split(':');
  const fields = new Map<string, string>([
    ['uid', uid],
    ['gid', gid],
    ['home', home],
  ]);
  for (const word of extra.join(':').split(/\s+/)) if (word.startsWith('userdb_')) addField(fields, word);
  return recordOf(fields, user, setting);
}
