export * from './options.ts';
export * from './state/sync-state.ts';
export * from './mails/mail-plan.ts';
export * from './tree/tree-plan.ts';
export * from './report.ts';
