/** The settings that dsync knows, by Dovecot's names, as checked values. */
import { expandPath, expandVariables, type VariableValues } from '../expand/variables.ts';
import type { MailLocation } from '../expand/location.ts';
import { readConfigFile, readOverride } from '../parse/parse-config.ts';
import { Section } from '../parse/section.ts';
import { readNamespaces, readLocation, readOthersPrefixes, type NamespaceSettings } from './namespaces.ts';
import { bad, SettingReader } from './read.ts';
import { readTls, type TlsSettings } from './tls.ts';

/** dsync's own default port for `tcp:` and `tcps:` is that of a doveadm server. */
export const DEFAULT_PORT = 12345;

/** `doveadm_ssl`. */
export type DoveadmSsl = 'no' | 'ssl' | 'starttls';

/** Every setting that something here depends on, or its default. */
export interface Settings {
  /** The user's mail; null: not set. Variables are not expanded. */
  readonly mailLocation: MailLocation | null;
  readonly mailHome: string | null;
  readonly namespaces: readonly NamespaceSettings[];
  /** Of namespaces that are configured and left out: `type = public` and `shared`. */
  readonly othersPrefixes: readonly string[];
  /** False for `mail_fsync = never`. */
  readonly fsync: boolean;
  readonly hostname: string | null;
  readonly doveadmPort: number;
  /** Secret. Null: nobody can log in over TCP. */
  readonly doveadmPassword: string | null;
  /** What `tcp:` does: clear text, TLS at once (as `tcps:`), or TLS after the server's greeting. */
  readonly doveadmSsl: DoveadmSsl;
  readonly dsyncRemoteCommand: string;
  readonly dsyncAltChar: string;
  readonly dsyncHashedHeaders: readonly string[];
  /** `mail_max_keyword_length`, bytes: of keywords that a Dovecot at the other end takes. */
  readonly maxKeywordLength: number;
  readonly mailReplica: string | null;
  readonly tls: TlsSettings;
  /** Everything as written; users are looked up in it. */
  readonly root: Section;
}

/** Where settings are read. Overrides count more than the file, the last one most. */
export interface SettingsSource {
  /** `-c`; null: no file is read. */
  readonly file: string | null;
  /** `-o`, in their order. */
  readonly overrides: readonly string[];
  /** Called once for each setting that we do not know; values are not shown. */
  readonly debug?: (text: string) => void;
}

/**
 * Reads the configuration and checks every value that we know. Unknown settings are skipped.
 * @throws {SettingsError} naming file and line, or the option
 */
export function loadSettings(source: SettingsSource): Settings {
  const root = new Section('', '', null);
  if (source.file !== null) readConfigFile(source.file, root);
  for (const override of source.overrides) readOverride(override, root);
  const used = new Set<string>();
  const settings = settingsOf(root, used);
  reportUnknown(root, used, source.debug ?? (() => undefined));
  return settings;
}

/**
 * Checks every value that we know.
 * @param used gets the names of settings that were looked for
 * @throws {SettingsError}
 */
export function settingsOf(root: Section, used: Set<string> = new Set()): Settings {
  const own = root.of('protocol').filter((s) => s.name === 'doveadm' || s.name === 'dsync');
  const read = new SettingReader([...own, root], used);
  return {
    mailLocation: readLocation(read),
    mailHome: read.text('mail_home') ?? null,
    namespaces: readNamespaces(root, used),
    othersPrefixes: readOthersPrefixes(root, used),
    fsync: read.choice('mail_fsync', { optimized: 'on', always: 'on', never: 'off' }, 'on') === 'on',
    hostname: read.text('hostname') ?? null,
    doveadmPort: read.number('doveadm_port', 0, 0, 65_535) || DEFAULT_PORT,
    doveadmPassword: read.text('doveadm_password') ?? null,
    doveadmSsl: read.choice('doveadm_ssl', { no: 'no', ssl: 'ssl', starttls: 'starttls' }, 'no'),
    dsyncRemoteCommand: read.text('dsync_remote_cmd') ?? 'ssh -l%{login} %{host} doveadm dsync-server -u%u',
    dsyncAltChar: altChar(read),
    dsyncHashedHeaders: hashedHeaders(read),
    maxKeywordLength: read.number('mail_max_keyword_length', 50, 0, 255),
    mailReplica: read.text('mail_replica') ?? null,
    tls: readTls(read),
    root,
  };
}

function altChar(read: SettingReader): string {
  const setting = read.find('dsync_alt_char');
  if (setting === undefined) return '_';
  if (!/^[ -~]$/.test(setting.value))
    throw bad(setting, `dsync_alt_char must be one printable character, not ${JSON.stringify(setting.value)}`);
  return setting.value;
}

function hashedHeaders(read: SettingReader): readonly string[] {
  const setting = read.find('dsync_hashed_headers');
  if (setting === undefined) return ['Date', 'Message-ID'];
  const names = setting.value.split(/\s+/).filter((name) => name !== '');
  const wrong = names.find((name) => !/^[!-9;-~]+$/.test(name));
  if (names.length === 0 || wrong !== undefined)
    throw bad(setting, `dsync_hashed_headers must be header names, not ${JSON.stringify(setting.value)}`);
  return names;
}

function reportUnknown(section: Section, used: ReadonlySet<string>, debug: (text: string) => void, path = ''): void {
  for (const [name, { origin }] of section.settings) {
    if (used.has(name) || section.type === 'userdb' || section.type === 'passdb' || section.type === 'fields') continue;
    debug(
      `unknown setting ${path}${name} skipped (${origin.kind === 'file' ? `${origin.file} line ${origin.line}` : 'given with -o'})`,
    );
  }
  for (const inner of section.sections) {
    if (inner.type === 'userdb' || inner.type === 'passdb') continue;
    reportUnknown(inner, used, debug, `${path}${inner.type}${inner.name === '' ? '' : `/${inner.name}`}/`);
  }
}

/** A location with its variables expanded: absolute paths, or relative ones as the user wrote them. */
export interface ExpandedLocation {
  readonly driver: string;
  readonly path: string;
  /** In lower case. */
  readonly layout: string | null;
  readonly control: string | null;
  readonly index: string | null;
  readonly inbox: string | null;
}

/** @throws {SettingsError} as `expandVariables` */
export function expandLocation(location: MailLocation, values: VariableValues): ExpandedLocation {
  const path = (text: string | undefined): string | null =>
    text === undefined ? null : expandPath(text, values, location.origin);
  return {
    driver: location.driver,
    path: expandPath(location.path, values, location.origin),
    layout:
      location.layout === undefined ? null : expandVariables(location.layout, values, location.origin).toLowerCase(),
    control: path(location.control),
    index: path(location.index),
    inbox: path(location.inbox),
  };
}
