export * from './mail-store.ts';
export * from './errors.ts';
export * from './digest.ts';
export { Mutex } from './mutex.ts';
export { hashedName } from './paths.ts';
export type * from './journal/journal.ts';
export type * from './met.ts';
export { JournalConflict } from './journal/journal.ts';
export {
  observe,
  beginTracking,
  countedModseq,
  type Listing,
  type ObservedMail,
  type Observation,
  type Remembered,
} from './journal/observe.ts';
export { applySync, memoryOf, type MailboxMemory, type SyncChanges, type SyncedMail } from './journal/apply-sync.ts';
export { createMemoryJournal, type MemoryJournal } from './journal/memory-journal.ts';
export { withoutKeywords } from './journal/keywords.ts';
export { settleUids, type SettledUids } from './journal/settle-uids.ts';
export { createMemoryStore, type MemoryStore } from './memory/memory-store.ts';
export type { MemoryStoreOptions } from './memory/memory-state.ts';
export type { Delivery, InitialMailbox, MemoryUser } from './memory/memory-user.ts';
export { openNamespacedStore, type Namespace } from './namespaces/namespaced-store.ts';
export { visibleNamespaces, type NamespaceFacts } from './namespaces/selection.ts';
export { openMaildirStore, type MaildirStoreOptions } from './maildir/open-maildir-store.ts';
