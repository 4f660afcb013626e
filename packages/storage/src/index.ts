export * from './mail-store.ts';
export * from './errors.ts';
export * from './digest.ts';
export type * from './journal/journal.ts';
