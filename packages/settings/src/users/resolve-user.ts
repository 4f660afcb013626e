/** From a user name to where this user's mail lies. */
import { statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname } from 'node:path';

import { SettingsError } from '../errors.ts';
import { parseLocation, type MailLocation } from '../expand/location.ts';
import { isSafeUserName } from '../expand/user-name.ts';
import { expandPath, type VariableValues } from '../expand/variables.ts';
import type { NamespaceSettings } from '../typed/namespaces.ts';
import { expandLocation, type ExpandedLocation, type Settings } from '../typed/settings.ts';
import { findUser, type UserRecord } from './users.ts';

/** A namespace of one user's, with the variables of its location expanded. */
export interface UserNamespace extends Omit<NamespaceSettings, 'location'> {
  readonly location: ExpandedLocation;
  /** It has a location of its own. */
  readonly separateLocation: boolean;
}

/** A user that exists, and where the mail lies. */
export interface MailUser {
  readonly name: string;
  /** Null if none is known. */
  readonly home: string | null;
  readonly location: ExpandedLocation;
  readonly namespaces: readonly UserNamespace[];
}

/**
 * Finds the user's mail. A user exists if
 * - a `userdb` (static, passwd-file) says so; if passwd-files are configured and none has the name, it does not; or
 * - the mail location names no user, so there is one for everybody; or
 * - the mail folder is there, or the folder that it lies in: then an empty account can receive its first mail.
 *   Nothing else is ever created for a name that a peer sends.
 * @throws {SettingsError} `NoSuchUser`; `BadValue` if no mail location is set
 */
export function resolveUser(
  settings: Settings,
  name: string,
  debug: (text: string) => void = () => undefined,
): MailUser {
  if (!isSafeUserName(name)) throw noSuchUser(name);
  const answer = findUser(settings.root, name, debug);
  if (answer.kind === 'unknown') throw noSuchUser(name);
  const record = answer.kind === 'found' ? answer.record : {};
  const home = homeOf(settings, name, record);
  const values: VariableValues = { user: name, home, ...ids(record) };
  const template = record.mail === undefined ? settings.mailLocation : parseLocation(record.mail);
  if (template === null)
    throw new SettingsError(
      'BadValue',
      'mail_location is not set: give -o mail_location=maildir:PATH, or a configuration with -c',
    );
  const location = expandLocation(template, values);
  if (answer.kind === 'none' && !hasPlace(template, location, values)) throw noSuchUser(name);
  return { name, home, location, namespaces: settings.namespaces.map((n) => expandNamespace(n, location, values)) };
}

function noSuchUser(name: string): SettingsError {
  return new SettingsError('NoSuchUser', `User doesn't exist: ${JSON.stringify(name.slice(0, 80)).slice(1, -1)}`);
}

function ids(record: UserRecord): { uid?: number; gid?: number } {
  const number = (text: string | undefined): number | undefined =>
    text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
  const uid = number(record.uid);
  const gid = number(record.gid);
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}

/** The database's word, `mail_home`, or for the user that we run as the home of the process. */
function homeOf(settings: Settings, name: string, record: UserRecord): string | null {
  if (record.home !== undefined) return record.home;
  const own = isOwnName(name) ? homedir() : null;
  return settings.mailHome === null ? own : expandPath(settings.mailHome, { user: name, home: own });
}

function isOwnName(name: string): boolean {
  if (name === process.env['USER']) return true;
  try {
    return userInfo().username === name;
  } catch {
    // A process can run under a number that has no name.
    return false;
  }
}

/** Whether mail can be there or be put there. */
function hasPlace(template: MailLocation, location: ExpandedLocation, values: VariableValues): boolean {
  if (!template.path.includes('%') && !template.path.startsWith('~')) return true;
  if (isOwnName(values.user) && values.home !== null && location.path.startsWith(`${values.home}/`)) return true;
  return isDirectory(location.path) || isDirectory(dirname(location.path));
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function expandNamespace(
  namespace: NamespaceSettings,
  location: ExpandedLocation,
  values: VariableValues,
): UserNamespace {
  const { location: own, ...rest } = namespace;
  return {
    ...rest,
    prefix: namespace.prefix === '' ? '' : expandPath(namespace.prefix, values),
    location: own === null ? location : expandLocation(own, values),
    separateLocation: own !== null,
  };
}
