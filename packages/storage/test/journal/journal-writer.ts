/** A process that writes to a journal: `journal-writer.ts FILE FIRST COUNT`, one mailbox each. Says `ready` first. */
import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';

import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';

const [file = '', first = '1', count = '1'] = process.argv.slice(2);
const journal = await openLmdbJournal(file, { fsync: 'on' });
process.stdout.write('ready\n');
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const guid = mailboxGuid(n.toString(16).padStart(32, '0'));
  const put = Array.from({ length: 200 }, (_, i) => ({
    uid: uid(i + 1),
    guid: mailGuid(`${n}.${i}`),
    modseq: 1n,
    flags: 0,
    keywords: [],
    addedFlags: 0,
    removedFlags: 0,
    addedKeywords: [],
    removedKeywords: [],
    name: `cur/${n}.${i}:2,`,
  }));
  const head = {
    guid,
    path: [`box${n}`],
    uidValidity: 1,
    uidNext: 201,
    highestModseq: 1n,
    baseModseq: 0n,
    firstRecentUid: 1,
  };
  await journal.write([{ head: { ...head, messages: 200, digest: BigInt(n), fingerprint: '', historyFrom: 1n }, put }]);
  process.stdout.write(`${n}\n`);
}
await journal[Symbol.asyncDispose]();
