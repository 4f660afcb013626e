/** Programs that know Maildir and nothing else: a delivery agent, a mail reader, somebody in a shell. */
import { mkdirSync, readdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { DEFAULT_DATE } from '../support/mails.ts';

/** Puts a mail into new/ under a name of its own. @returns its GUID, which is that name (a Maildir's rule) */
export function deliver(folder: string, label: string): string {
  const name = `1700000000.M1P1_${label.replaceAll('.', '_')}.elsewhere`;
  writeFileSync(join(folder, 'tmp', name), `Subject: ${name}\n\nfrom another program\n`);
  utimesSync(join(folder, 'tmp', name), DEFAULT_DATE, DEFAULT_DATE);
  renameSync(join(folder, 'tmp', name), join(folder, 'new', name));
  return name;
}

/** Marks a mail as read, moving it out of new/ as mail readers do. */
export function markAsRead(folder: string, index: number): void {
  const chosen = pick(folder, index);
  if (chosen === undefined) return;
  const [base = '', info = ''] = chosen.name.split(':2,');
  const flags = [...new Set(Array.from(`${info}S`))].toSorted().join('');
  renameSync(join(folder, chosen.at, chosen.name), join(folder, 'cur', `${base}:2,${flags}`));
}

/** @returns false if there is no mail */
export function unlink(folder: string, index: number): boolean {
  const chosen = pick(folder, index);
  if (chosen === undefined) return false;
  unlinkSync(join(folder, chosen.at, chosen.name));
  return true;
}

/** A new, empty folder; nothing happens if something of that name is there. */
export function makeFolder(folder: string): void {
  for (const name of ['tmp', 'new', 'cur']) mkdirSync(join(folder, name), { recursive: true });
}

function pick(folder: string, index: number): { readonly at: 'new' | 'cur'; readonly name: string } | undefined {
  const all = (['new', 'cur'] as const).flatMap((at) =>
    readdirSync(join(folder, at))
      .filter((name) => !name.startsWith('.'))
      .toSorted()
      .map((name) => ({ at, name })),
  );
  return all[index % Math.max(1, all.length)];
}
