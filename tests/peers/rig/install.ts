/** Installs what the tests against real peers need and this Debian lacks. Run by `npm run test:peers`. */
import { existsSync } from 'node:fs';

import { mustRun } from './processes.ts';
import { installTrixie } from './trixie.ts';

const PACKAGES: Readonly<Record<string, string>> = {
  'dovecot-core': '/usr/sbin/dovecot',
  'dovecot-imapd': '/usr/lib/dovecot/imap',
  'openssh-server': '/usr/sbin/sshd',
  'openssh-client': '/usr/bin/ssh',
  debootstrap: '/usr/sbin/debootstrap',
};

const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

const installPackages = async (): Promise<void> => {
  const missing = Object.entries(PACKAGES).flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length === 0) return;
  console.error(`installing ${missing.join(' ')}`);
  await mustRun('apt-get', ['update'], { env: environment });
  await mustRun('apt-get', ['install', '--yes', '--no-install-recommends', ...missing], { env: environment });
};

const main = async (): Promise<void> => {
  if (process.getuid?.() !== 0)
    throw new Error('the tests against real peers start servers for other users: run them as root');
  await installPackages();
  await installTrixie();
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
