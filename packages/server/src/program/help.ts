import { printOptionsHelp } from '@dsync/settings';

import { SERVER_OPTIONS } from './server-options.ts';

/** What `dsync-server --help` prints. */
export function printServerHelp(): string {
  return [
    'dsync-server [options]',
    '',
    'Serves a mailbox synchronisation: one session on stdin and stdout, as started by ssh or a wrapper,',
    'or with --listen the daemon. SIGTERM ends it after the sessions under way, SIGHUP reloads settings and certificates.',
    'No configuration file is needed and none is read without -c:',
    '',
    '  dsync-server -o mail_location=maildir:/srv/mail/%u/Maildir -o doveadm_password=SECRET \\',
    `    -o 'ssl_cert=</etc/ssl/server.crt' -o 'ssl_key=</etc/ssl/server.key' --listen tcps:0.0.0.0:12345`,
    '',
    'Options:',
    printOptionsHelp(SERVER_OPTIONS),
    '',
  ].join('\n');
}
