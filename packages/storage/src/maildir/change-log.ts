/** `dovecot.mailbox.log` and `.log.2` of a store, read for their times and added to. */
import fs from 'node:fs';
import { join } from 'node:path';

import { adopt, attempt, ownershipOf } from './files.ts';
import { parseMailboxLog, printMailboxLog, type MailboxLogKind, type MailboxLogRecord } from './mailbox-log.ts';

const FILE = 'dovecot.mailbox.log';

/** The last record of each kind and id. */
export class ChangeLog {
  readonly #times = new Map<string, number>();
  readonly #records: readonly MailboxLogRecord[];

  constructor(indexRoot: string) {
    const records: MailboxLogRecord[] = [];
    // A log that cannot be read tells nothing; nothing rests on it but times.
    for (const name of [`${FILE}.2`, FILE])
      attempt(() => records.push(...parseMailboxLog(fs.readFileSync(join(indexRoot, name)))));
    this.#records = records;
    for (const { kind, id, time } of records) this.#times.set(`${kind} ${id}`, time);
  }

  /** Unix seconds, 0 if there is no record. */
  time(kind: MailboxLogKind, id: string): number {
    return this.#times.get(`${kind} ${id}`) ?? 0;
  }

  all(kind: MailboxLogKind): ReadonlyMap<string, number> {
    return new Map(this.#records.filter((record) => record.kind === kind).map(({ id, time }) => [id, time]));
  }
}

/** For a Dovecot that synchronises this store with somebody else. Leaving it out does no harm, so no error is told. */
export function noteChange(indexRoot: string, kind: MailboxLogKind, id: string, time: number): void {
  attempt(() => {
    const file = join(indexRoot, FILE);
    const isNew = !fs.existsSync(file);
    fs.appendFileSync(file, printMailboxLog([{ kind, id, time: Math.floor(time) }]));
    if (isNew) adopt(file, ownershipOf(indexRoot), 'file');
  });
}
