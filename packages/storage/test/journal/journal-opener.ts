/** A process that opens and closes a journal over and over: `journal-opener.ts FILE TIMES`. Says what goes wrong. */
import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';

const [file = '', times = '1'] = process.argv.slice(2);
for (let n = 0; n < Number(times); n++) {
  try {
    await using journal = await openLmdbJournal(file, { fsync: 'off' });
    await journal.writeMet('peer', new Map());
  } catch (error) {
    process.stdout.write(`${String(error)}\n`);
    break;
  }
}
