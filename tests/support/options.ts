/** The options of a recorded run, as the engine takes them. */
import { mailboxGuid } from '@dsync/protocol';
import { DEFAULT_OPTIONS, type SyncOptions } from '@dsync/sync';

/** Options without `-s`, and the text that was given with it; null: none. */
export interface AskedRun {
  readonly options: SyncOptions;
  readonly state: string | null;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @param words as on a command line */
export function readOptions(command: 'sync' | 'backup', words: readonly string[]): AskedRun {
  const options: Mutable<SyncOptions> = { ...DEFAULT_OPTIONS, mode: command === 'backup' ? 'backup' : 'two-way' };
  const selection: { -readonly [K in keyof SyncOptions['selection']]: SyncOptions['selection'][K] } = {
    ...DEFAULT_OPTIONS.selection,
  };
  const filter: Mutable<SyncOptions['filter']> = {};
  let state: string | null = null;
  const rest = [...words];
  const value = (): string => {
    const word = rest.shift();
    if (word === undefined) throw new Error(`an option of ${words.join(' ')} lacks its value`);
    return word;
  };
  const readers: Record<string, () => void> = {
    '-1': () => (options.mode = 'one-way'),
    '-R': () => (options.reverse = true),
    '-f': () => (options.algorithm = 'full'),
    '-s': () => (state = value()),
    '-m': () => (selection.mailbox = inbox(value())),
    '-g': () => (selection.mailboxGuid = rest[0] === '' ? (rest.shift(), '') : mailboxGuid(value())),
    '-x': () => (selection.exclude = [...selection.exclude, value()]),
    '-n': () => (selection.namespaces = [...selection.namespaces, value()]),
    '-t': () => (filter.since = seconds(value())),
    '-e': () => (filter.until = seconds(value())),
    '-I': () => (filter.maxSize = bytes(value())),
    '-O': () => (filter.flag = value()),
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const reader = readers[word];
    if (reader === undefined) throw new Error(`unknown option ${word}`);
    reader();
  }
  return { options: { ...options, selection, filter }, state };
}

function inbox(name: string): string {
  return name.toUpperCase() === 'INBOX' ? 'INBOX' : name;
}

function seconds(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Math.floor(new Date(`${text}T00:00:00`).getTime() / 1000);
}

function bytes(text: string): number {
  return text.endsWith('k') ? Number(text.slice(0, -1)) * 1024 : Number(text);
}
