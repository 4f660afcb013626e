export * from './errors.ts';
export * from './options.ts';
export * from './report.ts';
export * from './state/sync-state.ts';
export * from './mails/mail-plan.ts';
export * from './tree/tree-plan.ts';
export { masterHandshake, slaveHandshake } from './brain/handshake.ts';
export { runMaster } from './brain/run-master.ts';
export { runSlave, type SlaveReport } from './brain/run-slave.ts';
