/** A private configuration for doveadm's local reads: no server runs. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from '@jest/globals';

/** Dovecot refuses to read mail as root, so it becomes somebody else. */
const MAIL_USER = 5000;

export interface FetchedMail {
  readonly uid: string;
  readonly guid: string;
  readonly flags: string;
  readonly received: string;
  readonly physical: string;
  readonly virtual: string;
}

export class Doveadm {
  readonly #home: string;
  readonly #config: string;
  readonly log: string;

  /** @param home holds the mail and everything that doveadm writes */
  constructor(home: string, location: string, separator = '/') {
    this.#home = home;
    this.log = join(home, 'dovecot.log');
    this.#config = join(home, 'dovecot.conf');
    const lines = [
      `base_dir = ${home}/run`,
      `state_dir = ${home}/run`,
      `log_path = ${this.log}`,
      'ssl = no',
      'default_login_user = nobody',
      'default_internal_user = nobody',
      'default_internal_group = nogroup',
      `mail_uid = ${MAIL_USER}`,
      `mail_gid = ${MAIL_USER}`,
      'first_valid_uid = 0',
      'first_valid_gid = 0',
      `mail_location = ${location}`,
      'namespace inbox {',
      '  inbox = yes',
      `  separator = ${separator}`,
      '}',
    ];
    fs.writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  run(...args: readonly string[]): string {
    return this.#run('', args);
  }

  /** Delivers a mail. */
  save(mailbox: string, text: string): void {
    this.#run(text, ['save', '-m', mailbox]);
  }

  #run(input: string, args: readonly string[]): string {
    const env = { ...process.env, USER: 'u', HOME: this.#home };
    return execFileSync('doveadm', ['-c', this.#config, ...args], { encoding: 'utf8', env, input, stdio: 'pipe' });
  }

  fetch(mailbox: string): FetchedMail[] {
    const fields = 'uid guid flags date.received.unixtime size.physical size.virtual';
    const rows: unknown = JSON.parse(this.run('-f', 'json', 'fetch', fields, 'mailbox', mailbox, 'all'));
    if (!Array.isArray(rows)) throw new Error('doveadm gave no list');
    return rows.map((row: Record<string, string>) => ({
      uid: row['uid'] ?? '',
      guid: row['guid'] ?? '',
      flags: row['flags'] ?? '',
      received: row['date.received.unixtime'] ?? row['date.received'] ?? '',
      physical: row['size.physical'] ?? '',
      virtual: row['size.virtual'] ?? '',
    }));
  }

  status(mailbox: string): unknown {
    const rows: unknown = JSON.parse(
      this.run('-f', 'json', 'mailbox', 'status', 'messages uidnext uidvalidity guid', mailbox),
    );
    if (!Array.isArray(rows)) throw new Error('doveadm gave no list');
    return rows[0];
  }

  list(...args: readonly string[]): string[] {
    return this.run('mailbox', 'list', ...args)
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  }

  /** Lines of warnings and errors that Dovecot logged. */
  complaints(): string[] {
    if (!fs.existsSync(this.log)) return [];
    return fs
      .readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => /Warning|Error|Panic|Fatal/.test(line));
  }
}

const homes: string[] = [];

afterAll(() => {
  for (const home of homes) fs.rmSync(home, { recursive: true, force: true });
});

/** A folder for one test; it goes with the last test of the file. */
export function makeHome(): string {
  const home = fs.mkdtempSync(join(tmpdir(), 'dsync-maildir-'));
  homes.push(home);
  fs.chmodSync(home, 0o755);
  if (process.getuid?.() === 0) fs.chownSync(home, MAIL_USER, MAIL_USER);
  return home;
}
