import { parseLocation, type MailLocation } from '../expand/location.ts';
import type { Section } from '../parse/section.ts';
import { SettingsError } from '../errors.ts';
import { bad, SettingReader } from './read.ts';

/** One `namespace … { }`, or the one that exists without any. Variables are not expanded. */
export interface NamespaceSettings {
  readonly name: string;
  readonly prefix: string;
  /** As configured; null: the store's own. */
  readonly separator: string | null;
  readonly inbox: boolean;
  readonly hidden: boolean;
  readonly list: boolean;
  /** Its own mail location; null: the user's. */
  readonly location: MailLocation | null;
  /** `mailbox NAME { special_use = … }`; names are those below the prefix. */
  readonly specialUses: readonly SpecialUse[];
}

/** A mailbox and a use that it has, such as `\\Sent` (RFC 6154). */
export interface SpecialUse {
  readonly mailbox: string;
  readonly use: string;
}

/** @throws {SettingsError} `BadValue` */
export function readNamespaces(root: Section, used: Set<string>): readonly NamespaceSettings[] {
  const namespaces = sectionsOf(root, used, 'private').map((section) => readNamespace(section, used));
  if (namespaces.length === 0) return [{ ...NO_SECTION, name: 'inbox', prefix: '', separator: null, inbox: true }];
  const seen = new Set<string>();
  for (const { prefix, name } of namespaces) {
    if (seen.has(prefix))
      throw new SettingsError(
        'BadValue',
        `namespace ${name}: its prefix ${JSON.stringify(prefix)} is another's already`,
      );
    seen.add(prefix);
  }
  if (namespaces.some((n) => n.inbox)) return namespaces;
  // Dovecot 2.3 takes the one with the empty prefix, or the only one.
  const owner = namespaces.find((n) => n.prefix === '') ?? namespaces[0];
  return namespaces.map((n) => (n === owner ? { ...n, inbox: true } : n));
}

/** Prefixes of namespaces that belong to more users than one. Their mail is not synchronised. */
export function readOthersPrefixes(root: Section, used: Set<string>): readonly string[] {
  return sectionsOf(root, used, 'other').map((section) => new SettingReader([section], used).text('prefix') ?? '');
}

function sectionsOf(root: Section, used: Set<string>, type: 'private' | 'other'): readonly Section[] {
  return root.of('namespace').filter((section) => {
    const read = new SettingReader([section], used);
    return !read.flag('disabled', false) && read.choice('type', TYPES, 'private') === type;
  });
}

const NO_SECTION = { hidden: false, list: true, location: null, specialUses: [] } as const;

const TYPES = { private: 'private', shared: 'other', public: 'other' } as const;

function readNamespace(section: Section, used: Set<string>): NamespaceSettings {
  const read = new SettingReader([section], used);
  const separator = read.find('separator');
  if (separator !== undefined && Array.from(separator.value).length > 1) {
    throw bad(separator, `separator must be one character, not ${JSON.stringify(separator.value)}`);
  }
  const prefix = read.find('prefix');
  const mark = separator?.value ?? '';
  if (prefix !== undefined && prefix.value !== '' && mark !== '' && !prefix.value.endsWith(mark)) {
    throw bad(prefix, `prefix must end with the separator ${JSON.stringify(mark)}`);
  }
  return {
    name: section.name,
    prefix: prefix?.value ?? '',
    separator: mark === '' ? null : mark,
    inbox: read.flag('inbox', false),
    hidden: read.flag('hidden', false),
    list: read.choice('list', LIST, 'yes') === 'yes',
    location: readLocation(read),
    specialUses: section.of('mailbox').flatMap((mailbox) => readSpecialUses(mailbox, used)),
  };
}

function readSpecialUses(section: Section, used: Set<string>): readonly SpecialUse[] {
  const read = new SettingReader([section], used);
  const mailbox = read.text('mailbox_name', 'name') ?? section.name;
  const uses = (read.text('special_use', 'mailbox_special_use') ?? '').split(' ').filter((use) => use !== '');
  return uses.map((use) => ({ mailbox, use }));
}

const LIST = { yes: 'yes', children: 'yes', no: 'no' } as const;

/**
 * A location in either spelling: `mail_location` (in a namespace: `location`), or `mail_driver` and `mail_path`.
 * @throws {SettingsError} `BadValue`
 */
export function readLocation(read: SettingReader): MailLocation | null {
  const path = read.find('mail_path');
  const whole = read.find('location', 'mail_location');
  const driver = read.find('mail_driver');
  const layout = read.text('mailbox_list_layout');
  const control = read.text('mail_control_path');
  const index = read.text('mail_index_path');
  const inbox = read.text('mail_inbox_path');
  // A location that was given with -o replaces a file's, whatever the spelling of either.
  const isReplaced = whole?.origin.kind === 'option' && path?.origin.kind === 'file';
  if (path === undefined || path.value === '' || isReplaced)
    return whole === undefined || whole.value === '' ? null : parseLocation(whole.value, whole.origin);
  return {
    driver: (driver?.value ?? 'maildir').toLowerCase(),
    path: path.value,
    ...(layout === undefined ? {} : { layout }),
    ...(control === undefined ? {} : { control }),
    ...(index === undefined ? {} : { index }),
    ...(inbox === undefined ? {} : { inbox }),
    origin: path.origin,
  };
}
