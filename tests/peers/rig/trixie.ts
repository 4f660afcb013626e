/** A Debian 13 in a folder of its own, for the Dovecot 2.4 that it holds. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { peersCache } from '../../support/places.ts';
import { mustRun } from './processes.ts';

/** Its root folder. */
export const TRIXIE: string = join(peersCache, 'trixie');

/** The mirror that apt of this machine uses for Debian itself. */
const findMirror = async (): Promise<string> => {
  const folder = '/etc/apt/sources.list.d';
  const extra = await readdir(folder).catch(() => []);
  const files = ['/etc/apt/sources.list', ...extra.map((name) => join(folder, name))];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const found = /^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s*)?)(\S+\/debian\/?)(?:\s|$)/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  throw new Error("no Debian mirror in apt's sources: cannot install Debian trixie for Dovecot 2.4");
};

/** Makes the folder if it is not there yet; needs root, debootstrap and some 300 MB. */
export const installTrixie = async (): Promise<void> => {
  if (existsSync(join(TRIXIE, 'usr/sbin/dovecot'))) return;
  const unfinished = `${TRIXIE}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(peersCache, { recursive: true, mode: 0o755 });
  const packages = '--include=dovecot-core,dovecot-imapd';
  await mustRun('debootstrap', ['--variant=minbase', packages, 'trixie', unfinished, await findMirror()], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  await rename(unfinished, TRIXIE);
};
