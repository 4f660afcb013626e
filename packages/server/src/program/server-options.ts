import { GLOBAL_OPTIONS, type OptionSpec } from '@dsync/settings';

/** Options of `dsync-server`, the program and the command. */
export const SERVER_OPTIONS: readonly OptionSpec[] = [
  {
    long: 'user',
    short: 'u',
    value: 'USER',
    help: 'whose mail is served on stdin and stdout; without it the first line names the user',
  },
  {
    long: 'listen',
    value: 'ADDRESS',
    multi: true,
    help: 'stay and serve on tcp:ADDR:PORT, tcps:ADDR:PORT or unix:PATH (repeatable)',
  },
  {
    long: 'timeout',
    short: 'T',
    value: 'SECONDS',
    help: 'give a session up after that long without traffic (600; 0: never)',
  },
  { long: 'rawlog', short: 'r', value: 'FILE', help: 'write the traffic of the session to FILE.in and FILE.out' },
  { long: 'fsync', value: 'on|off', help: 'off: do not wait for the disk (throw-away copies only)' },
  { long: 'replicator-notify', short: 'U', help: 'accepted and ignored, as peers send it' },
  { long: 'legacy-dsync', short: 'E', help: 'accepted and ignored, as peers send it' },
  ...GLOBAL_OPTIONS,
];
