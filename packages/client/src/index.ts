export { clientMain } from './main.ts';
export { parseDate, parseFlag, parseSeconds, parseSize } from './command-line/grammars.ts';
export { parseDestination, type Destination } from './command-line/destination.ts';
export { buildRequest, type SyncRequest } from './command-line/sync-request.ts';
export { SYNC_OPTIONS } from './command-line/sync-options.ts';
export { remoteCommand } from './transports/remote.ts';
export { openSession, type LoginOptions } from './transports/doveadm-login.ts';
export { printPlan } from './report/plan.ts';
