/** Reads dovecot.conf syntax, 2.3's and 2.4's (https://doc.dovecot.org/latest/core/settings/syntax.html). */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

import { notReadable, SettingsError, type Origin } from '../errors.ts';
import { logicalLines, unquote } from './lines.ts';
import type { Section, Setting } from './section.ts';

/** Included files within included files, and sections within sections on one line. */
const MAX_DEPTH = 10;

/** A value of a file: certificates and keys, never mail. Bytes. */
const MAX_VALUE_FILE = 1024 * 1024;

interface Context {
  readonly root: Section;
  readonly file: string;
  readonly depth: number;
}

/**
 * Reads a configuration file, and those that it includes, into `root`.
 * @throws {SettingsError} `NotReadable`, `Syntax`
 */
export function readConfigFile(file: string, root: Section): void {
  readFile({ root, file: resolve(file), depth: 0 }, root, null);
}

/**
 * Reads the text of a configuration file into `root`.
 * @param file its name, for messages and for what it includes
 * @throws {SettingsError} as `readConfigFile`
 */
export function readConfigText(text: string, file: string, root: Section): void {
  readLines({ root, file: resolve(file), depth: 0 }, root, text);
}

/**
 * Reads one `-o` override: `name=value` or `section/name=value`; `<file` and `$name` work as in a file.
 * @throws {SettingsError} `Syntax`, `NotReadable`
 */
export function readOverride(text: string, root: Section): void {
  const at = text.indexOf('=');
  const path = text.slice(0, Math.max(at, 0)).trim();
  // The value may be a secret, so no more than the name is ever shown.
  const origin: Origin = { kind: 'option', text: path };
  if (at < 1 || !/^[A-Za-z0-9_\-:./@*]+$/.test(path))
    throw new SettingsError('Syntax', `-o needs name=value, not ${JSON.stringify(at < 0 ? text : path)}`);
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  let section = root;
  while (parts.length > 0) {
    const type = parts.shift() ?? '';
    section = section.section(type, SECTION_TYPES.has(type) ? (parts.shift() ?? '') : '', origin);
  }
  assign({ root, file: resolve('-o'), depth: 0 }, section, name, text.slice(at + 1), origin);
}

/** Sections that have a name: `namespace inbox { … }` is `namespace/inbox/…`. */
const SECTION_TYPES = new Set([
  'namespace',
  'userdb',
  'passdb',
  'protocol',
  'service',
  'mailbox',
  'unix_listener',
  'inet_listener',
  'fifo_listener',
]);

function readFile(context: Context, section: Section, from: Origin | null): void {
  let text: string;
  try {
    text = readFileSync(context.file, 'utf8');
  } catch (cause) {
    throw notReadable('the configuration', cause, from ?? undefined);
  }
  readLines(context, section, text);
}

function readLines(context: Context, section: Section, text: string): void {
  const open: Section[] = [section];
  for (const { text: line, line: number } of logicalLines(text)) {
    const origin: Origin = { kind: 'file', file: context.file, line: number };
    const current = open.at(-1);
    if (current === undefined) break;
    if (line === '}') {
      if (open.length === 1) throw new SettingsError('Syntax', 'unexpected }', { origin });
      open.pop();
    } else if (line.startsWith('!')) {
      include(context, current, line, origin);
    } else {
      const inner = readLine(context, current, line, origin);
      if (inner !== null) open.push(inner);
    }
  }
  const unclosed = open.length > 1 ? open.at(-1) : undefined;
  if (unclosed !== undefined)
    throw new SettingsError(
      'Syntax',
      `${unclosed.type} { is not closed`,
      unclosed.origin === null ? {} : { origin: unclosed.origin },
    );
}

/** One line: a setting (null), or the beginning of a section, which is returned. */
function readLine(context: Context, current: Section, line: string, origin: Origin, depth = 0): Section | null {
  const opening = /^([A-Za-z0-9_\-:.@]+)(?:\s+("(?:[^"\\]|\\.)*"|'[^']*'|[^\s={}"']+))?\s*\{(.*)$/.exec(line);
  if (opening !== null) {
    const [, type = '', name = '', rest = ''] = opening;
    const section = current.section(type, unquote(name), origin);
    const inside = rest.trim();
    if (inside === '') return section;
    // `name { key = value }` on one line
    if (!inside.endsWith('}'))
      throw new SettingsError('Syntax', 'a section’s contents must begin on their own line', { origin });
    const body = inside.slice(0, -1).trim();
    if (depth >= MAX_DEPTH)
      throw new SettingsError('Syntax', `more than ${MAX_DEPTH} sections on one line`, { origin });
    if (body !== '') readLine(context, section, body, origin, depth + 1);
    return null;
  }
  const setting = /^([A-Za-z0-9_\-:./@*]+)\s*=\s*(.*)$/.exec(line);
  if (setting === null)
    throw new SettingsError(
      'Syntax',
      `neither a setting nor a section: ${JSON.stringify(line.slice(0, 60).replace(/=.*/, '= …'))}`,
      { origin },
    );
  const [, name = '', value = ''] = setting;
  assign(context, current, name, value, origin);
  return null;
}

function assign(context: Context, section: Section, name: string, raw: string, origin: Origin): void {
  const text = raw.trim();
  if (text.startsWith('<') && text.length > 1) {
    const file = fileBeside(context.file, text.slice(1).trim());
    section.settings.set(name, { fromFile: file, origin, ...readValue(file, origin) });
    return;
  }
  const quoted = text.startsWith("'");
  const value = unquote(text);
  section.settings.set(name, { value: quoted ? value : substitute(context.root, section, value), origin });
}

/** `$name` (2.3) and `$SET:name` (2.4) stand for an earlier setting, `$ENV:NAME` for the environment. Unknown ones stay as they are. */
function substitute(root: Section, section: Section, value: string): string {
  return value.replace(/\$(?:(SET|ENV):)?([A-Za-z_][A-Za-z0-9_]*)/g, (all, kind: string | undefined, name: string) => {
    if (kind === 'ENV') return process.env[name] ?? '';
    return section.get(name)?.value ?? root.get(name)?.value ?? (kind === 'SET' ? '' : all);
  });
}

/** Of a server's own configuration a user who is not root may read the rest, which mostly is enough. */
function readValue(file: string, origin: Origin): Pick<Setting, 'value' | 'unreadable'> {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MAX_VALUE_FILE)
      throw new SettingsError('BadValue', `${file} is larger than ${MAX_VALUE_FILE} bytes`, { origin });
    return { value: bytes.toString('utf8') };
  } catch (cause) {
    if (cause instanceof SettingsError) throw cause;
    return { value: '', unreadable: notReadable(file, cause, origin) };
  }
}

function fileBeside(file: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(file), name);
}

function include(context: Context, section: Section, line: string, origin: Origin): void {
  const match = /^!(include|include_try)\s+(.+)$/.exec(line);
  if (match === null)
    throw new SettingsError('Syntax', `unknown directive ${JSON.stringify(line.slice(0, 40))}`, { origin });
  const optional = match[1] === 'include_try';
  const pattern = fileBeside(context.file, unquote((match[2] ?? '').trim()));
  if (context.depth >= MAX_DEPTH)
    throw new SettingsError('Syntax', `more than ${MAX_DEPTH} files included one in another`, { origin });
  const files = matchingFiles(pattern);
  if (files.length === 0 && !optional) throw new SettingsError('NotReadable', `no file matches ${pattern}`, { origin });
  for (const file of files) {
    if (file === context.file) continue;
    try {
      readFile({ root: context.root, file, depth: context.depth + 1 }, section, origin);
    } catch (error) {
      if (!(optional && error instanceof SettingsError && error.code === 'NotReadable')) throw error;
    }
  }
}

/** Files of a pattern with `*` and `?` in its last part, sorted. */
function matchingFiles(pattern: string): string[] {
  const last = pattern.slice(pattern.lastIndexOf('/') + 1);
  if (!/[*?]/.test(last)) return [pattern];
  const mask = new RegExp(
    `^${last
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
  try {
    return readdirSync(dirname(pattern))
      .filter((name) => mask.test(name) && !name.startsWith('.'))
      .toSorted()
      .map((name) => join(dirname(pattern), name));
  } catch {
    return [];
  }
}
