/** Carries one transaction out and kills itself at the given step. Started by crash.test.ts. */
import { mailboxGuid, mailGuid, uid } from '@dsync/protocol';

import { openMaildirStore } from '../../src/maildir/open-maildir-store.ts';

// A renumbering makes the uidlist be written anew; without it a long one is added to.
const [root = '', guid = '', stopAt = '', how = 'renumber'] = process.argv.slice(2);
const first = how === 'renumber' ? 11 : 5001;
let steps = 0;

await using store = await openMaildirStore({
  root,
  journal: 'auto',
  fsync: 'on',
  hostname: 'host.example',
  checkpoint: () => {
    if (++steps === Number(stopAt)) process.kill(process.pid, 'SIGKILL');
  },
});
await using mailbox = await store.openMailbox(mailboxGuid(guid));
if (mailbox === null) throw new Error('no mailbox');
const { mails } = await mailbox.changes();
await using transaction = await mailbox.begin();
const received = 1_600_000_000;
await transaction.save(
  { uid: uid(first), guid: mailGuid('new-1'), flags: 0, keywords: [], modseq: 1n, received },
  Buffer.from('Subject: n1\n\nx\n'),
);
await transaction.save(
  { uid: uid(first + 1), guid: mailGuid('new-2'), flags: 8, keywords: ['$Two'], modseq: 1n, received },
  Buffer.from('Subject: n2\n\ny\n'),
);
transaction.copy(uid(1), { uid: uid(first + 2), guid: mailGuid('old-1'), flags: 1, keywords: [], modseq: 1n });
transaction.setFlags(uid(2), 2, ['$One'], 1n);
transaction.expunge(uid(3), mailGuid('old-3'));
if (how === 'renumber') transaction.renumber(uid(4), uid(14));
await transaction.commit();
process.stdout.write(`${mails.length} ${steps}`);
