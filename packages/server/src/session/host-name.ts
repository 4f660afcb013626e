/** The name of this machine as a Dovecot on it would tell it. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Which side takes the user lock follows from both host names, so whatever program runs here must tell the same one:
 * the full name, where the machine's own one has no domain and /etc/hosts knows it.
 */
export function hostName(): string {
  const short = hostname();
  if (short.includes('.')) return short;
  try {
    return canonicalName(readFileSync('/etc/hosts', 'utf8'), short);
  } catch {
    return short;
  }
}

/** The first name on the first line that has `name`; `name` if there is none. */
export function canonicalName(hosts: string, name: string): string {
  for (const line of hosts.split('\n')) {
    const [, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (names.includes(name)) return names[0] ?? name;
  }
  return name;
}
