import { createMemoryJournal } from '../journal/memory-journal.ts';
import type { Journal } from '../journal/journal.ts';

export async function openJournal(journal: 'auto' | Journal, _indexRoot: string, _fsync: 'on' | 'off', _warn: (message: string) => void): Promise<Journal> {
  return journal === 'auto' ? createMemoryJournal() : journal;
}
