/** A process that writes to a journal: `journal-writer.ts FILE FIRST COUNT`, one mailbox each. Says `ready` first. */
import { mailGuid } from '@dsync/protocol';

import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';
import { headOf, mailOf } from './rows.ts';

const [file = '', first = '1', count = '1'] = process.argv.slice(2);
const journal = await openLmdbJournal(file, { fsync: 'on' });
process.stdout.write('ready\n');
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const put = Array.from({ length: 200 }, (_, i) =>
    mailOf(i + 1, { guid: mailGuid(`${n}.${i}`), name: `cur/${n}.${i}:2,` }),
  );
  const head = headOf(n, { path: [`box${n}`], uidValidity: 1, uidNext: 201, messages: 200, digest: BigInt(n) });
  await journal.write([{ head, put }]);
  process.stdout.write(`${n}\n`);
}
await journal[Symbol.asyncDispose]();
