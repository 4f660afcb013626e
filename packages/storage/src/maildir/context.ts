/** What everything in one opened store shares. */
import fs from 'node:fs';

import type { MailboxGuid, MailboxPath } from '@dsync/protocol';

import type { Journal, JournalHead } from '../journal/journal.ts';
import { samePath } from '../paths.ts';
import type { Box } from './box.ts';
import type { BaseClock } from './file-name.ts';
import { flusher, NOT_MANY, type Many } from './flusher.ts';
import type { Layout } from './layout.ts';

export interface Context {
  readonly layout: Layout;
  readonly journal: Journal;
  readonly fsync: boolean;
  /** Nothing in the store itself is touched; it ends with the store. Null: it is. */
  readonly shadow: Disposable | null;
  /** Unix seconds, with fraction. */
  readonly now: () => number;
  readonly host: string;
  readonly clock: BaseClock;
  readonly home: string;
  /** One line for the log. */
  readonly warn: (message: string) => void;
  /** Called at every step of a commit, by name; tests end the process there. */
  readonly checkpoint: (step: string) => void;
  /** One directory on every file system of the store. */
  readonly anchors: readonly string[];
  /** Directories and files that were made without a flush; the next one makes them durable too. */
  readonly unflushed: Set<string>;
  /** Every mailbox that was looked at, by the GUID that it has now. */
  readonly boxes: Map<MailboxGuid, Box>;
}

/** Makes `paths`, `many`, and whatever was made before without a flush, durable. @throws {StoreError} */
export async function flush(context: Context, paths: readonly string[], many: Many = NOT_MANY): Promise<void> {
  if (!context.fsync) return;
  const pending = [...context.unflushed];
  const all: Many = {
    count: many.count + pending.length,
    // What somebody has removed since need not survive.
    paths: () => [...many.paths(), ...pending.filter((path) => fs.existsSync(path))],
  };
  await flusher.flush(paths, all, context.anchors);
  for (const path of pending) context.unflushed.delete(path);
}

/** null: the journal does not know the mailbox. */
export function headOf(context: Context, guid: MailboxGuid): JournalHead | null {
  return context.journal.head(guid) ?? null;
}

/** The head that the journal has for a name. */
export function headAt(context: Context, path: MailboxPath): JournalHead | null {
  for (const head of context.journal.heads().values()) if (samePath(head.path, path)) return head;
  return null;
}
