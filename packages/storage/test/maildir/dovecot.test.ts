import fs from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';
import { guid128, mailboxGuid, mailGuid, uid, type MailboxPath } from '@dsync/protocol';

import { describeWith } from '../../../../tests/support/needs.ts';
import {
  openMaildirStore,
  type Mailbox,
  type MailboxTransaction,
  type MailStore,
  type MaildirStoreOptions,
  type NewMail,
} from '../../src/index.ts';
import { Doveadm, makeHome } from './dovecot.ts';

const GUID = mailboxGuid('0123456789abcdef0123456789abcdef');
const RECEIVED = 1_600_000_000;

const newMail = (number: number, guid: string, facts: Partial<NewMail> = {}): NewMail => ({
  uid: uid(number),
  guid: mailGuid(guid),
  flags: 0,
  keywords: [],
  modseq: 1n,
  received: RECEIVED + number,
  ...facts,
});

const body = (text: string): Buffer => Buffer.from(`Subject: ${text}\nMessage-ID: <${text}@host.example>\n\n${text}\n`);

async function open(store: MailStore): Promise<Mailbox> {
  const mailbox = await store.openMailbox(GUID);
  if (mailbox === null) throw new Error('no mailbox');
  return mailbox;
}

/** A store with one empty mailbox. */
async function makeStore(home: string, options: Partial<MaildirStoreOptions>): Promise<MailStore> {
  const store = await openMaildirStore({
    root: join(home, 'Maildir'),
    journal: 'auto',
    fsync: 'on',
    create: true,
    hostname: 'host.example',
    ...options,
  });
  await store.createMailbox(['Ä%&', 'Sub'], { guid: GUID, uidValidity: 1_700_000_000, createdAt: 0 });
  return store;
}

/** Mail 3, and 5 with a GUID that can be the file's name. */
async function saveTwo(transaction: MailboxTransaction): Promise<void> {
  await transaction.save(
    newMail(3, 'aabbccddeeff00112233445566778899', { flags: 8, keywords: ['$Forwarded', 'Later'] }),
    body('one'),
  );
  await transaction.save(newMail(5, '1700000000.M1P1.x,S=49,W=53'), body('two'));
}

/** Three mails in one mailbox, which Dovecot has looked at. */
async function withThree(
  options: Partial<MaildirStoreOptions>,
  location: string,
  run: (store: MailStore, dovecot: Doveadm, home: string) => Promise<void>,
): Promise<void> {
  const home = makeHome();
  const dovecot = new Doveadm(home, location);
  await using store = await makeStore(home, options);
  await using mailbox = await open(store);
  await mailbox.changes();
  await using transaction = await mailbox.begin();
  await saveTwo(transaction);
  await transaction.save(newMail(7, 'plain', { flags: 0x1f, pop3Uidl: 'pop-7', pop3Order: 4 }), body('six'));
  transaction.update({ uidNext: 10, highestModseq: 9n });
  await transaction.commit();
  await run(store, dovecot, home);
}

const NAME = 'Ä%&/Sub';

const LAYOUTS: [string, (home: string) => Partial<MaildirStoreOptions>, string][] = [
  ['Maildir++', () => ({}), 'maildir:~/Maildir'],
  [
    'LAYOUT=fs with trees of its own for control and index files',
    (home) => ({ layout: 'fs', control: join(home, 'control'), indexDir: join(home, 'index') }),
    'maildir:~/Maildir:LAYOUT=fs:INDEX=~/index:CONTROL=~/control',
  ],
];

describeWith(['dovecot23', 'root'], 'a real Dovecot 2.3', () => {
  test.each(LAYOUTS)('reads what was written, exactly, and changes nothing: %s', async (_, options, location) => {
    const home = makeHome();
    const dovecot = new Doveadm(home, location);
    {
      await using store = await makeStore(home, options(home));
      await using mailbox = await open(store);
      await using transaction = await mailbox.begin();
      await saveTwo(transaction);
      await transaction.save(
        newMail(7, 'plain', { flags: 0x1f }),
        (async function* () {
          yield Buffer.from('Subject: x\r');
          yield Buffer.from('\n\r\nbody\n');
        })(),
      );
      transaction.update({ uidNext: 10, highestModseq: 9n });
      await transaction.commit();
      await store.setSubscribed(['Ä%&', 'Sub'], true, RECEIVED);
      await store.setSubscribed(['Gone'], true, RECEIVED);
    }
    const mails = [
      {
        uid: '3',
        guid: 'aabbccddeeff00112233445566778899',
        flags: '\\Seen $Forwarded Later',
        received: String(RECEIVED + 3),
        physical: '49',
        virtual: '53',
      },
      {
        uid: '5',
        guid: '1700000000.M1P1.x,S=49,W=53',
        flags: '',
        received: String(RECEIVED + 5),
        physical: '49',
        virtual: '53',
      },
      {
        uid: '7',
        guid: 'plain',
        flags: '\\Answered \\Flagged \\Deleted \\Seen \\Draft',
        received: String(RECEIVED + 7),
        physical: '19',
        virtual: '20',
      },
    ];
    expect(dovecot.fetch(NAME)).toEqual(mails);
    expect(dovecot.status(NAME)).toEqual({
      mailbox: NAME,
      messages: '3',
      uidnext: '10',
      uidvalidity: '1700000000',
      guid: GUID,
    });
    expect(dovecot.list()).toEqual(['INBOX', 'Ä%&', NAME]);
    expect(dovecot.list('-s')).toEqual(['Gone', NAME]);
    dovecot.run('force-resync', NAME);
    expect(dovecot.fetch(NAME)).toEqual(mails);
    expect(dovecot.complaints()).toEqual([]);
  });

  test('sees mails saved, copied, flagged, expunged and renumbered while it has an index', async () => {
    await withThree({}, 'maildir:~/Maildir', async (store, dovecot) => {
      expect(dovecot.fetch(NAME)).toHaveLength(3);
      await using mailbox = await open(store);
      await mailbox.changes();
      await using transaction = await mailbox.begin();
      await transaction.save(newMail(12, 'new', { keywords: ['$Third'] }), body('new'));
      transaction.copy(uid(3), newMail(13, 'aabbccddeeff00112233445566778899', { flags: 2 }));
      transaction.setFlags(uid(3), 1, ['Later'], 20n);
      transaction.expunge(uid(5), mailGuid('1700000000.M1P1.x,S=49,W=53'));
      transaction.renumber(uid(7), uid(15));
      const result = await transaction.commit();
      expect(result).toMatchObject({ uidsChanged: false, saved: 1, copied: 1, flagged: 1, expunged: 1, renumbered: 1 });
      const short = dovecot
        .fetch(NAME)
        .map((mail) => [mail.uid, mail.guid, mail.flags, Number(mail.received) - RECEIVED]);
      expect(short).toEqual([
        ['3', 'aabbccddeeff00112233445566778899', '\\Answered Later', 3],
        ['12', 'new', '$Third', 12],
        ['13', 'aabbccddeeff00112233445566778899', '\\Flagged', 3],
        ['15', 'plain', '\\Answered \\Flagged \\Deleted \\Seen \\Draft', 7],
      ]);
      expect(dovecot.status(NAME)).toMatchObject({ uidnext: '16', guid: GUID });
      dovecot.run('force-resync', NAME);
      expect(dovecot.fetch(NAME).map((mail) => mail.uid)).toEqual(['3', '12', '13', '15']);
      expect(dovecot.complaints()).toEqual([]);
    });
  });

  test('its own changes are found as those of a user', async () => {
    await withThree({}, 'maildir:~/Maildir', async (store, dovecot) => {
      await using mailbox = await open(store);
      await mailbox.changes();
      const { highestModseq } = await mailbox.status();
      dovecot.run('flags', 'add', '\\Flagged Work', 'mailbox', NAME, 'uid', '3');
      dovecot.run('flags', 'remove', '\\Seen', 'mailbox', NAME, 'uid', '3');
      dovecot.run('expunge', 'mailbox', NAME, 'uid', '5');
      dovecot.save(NAME, body('delivered').toString());
      const { mails, expunges } = await mailbox.changes();
      expect(expunges).toEqual([{ uid: 5, guid: '1700000000.M1P1.x,S=49,W=53', modseq: expect.any(BigInt) }]);
      expect(mails.find((mail) => mail.uid === 3)).toMatchObject({
        flags: 2,
        addedFlags: 2,
        removedFlags: 8,
        addedKeywords: ['Work'],
        keywords: ['$Forwarded', 'Later', 'Work'],
      });
      const arrived = dovecot.fetch(NAME).at(-1);
      expect(mails.at(-1)).toMatchObject({ uid: Number(arrived?.uid), guid: arrived?.guid, addedFlags: 0 });
      expect((await mailbox.status()).highestModseq).toBeGreaterThan(highestModseq);
      await using content = await mailbox.read(uid(7), mailGuid('plain'));
      expect(content).toMatchObject({ pop3Uidl: 'pop-7', pop3Order: 4, received: RECEIVED + 7 });
      expect(dovecot.complaints()).toEqual([]);
    });
  });

  test('what it brought and expunged between two looks is known from its log', async () => {
    await withThree({}, 'maildir:~/Maildir', async (store, dovecot) => {
      dovecot.fetch(NAME);
      await using mailbox = await open(store);
      await mailbox.changes();
      for (const text of ['kept', 'gone', 'last']) dovecot.save(NAME, body(text).toString());
      const gone = dovecot.fetch(NAME).find(({ uid: number }) => number === '11');
      dovecot.run('expunge', 'mailbox', NAME, 'uid', '11');
      const { mails, expunges } = await mailbox.changes();
      expect(mails.map((mail) => Number(mail.uid))).toEqual([3, 5, 7, 10, 12]);
      const guid = guid128(gone?.guid ?? '');
      expect(expunges).toEqual([{ uid: 11, guid, modseq: expect.any(BigInt) }]);
      expect(guid).toMatch(/^[0-9a-f]{32}$/);
    });
  });

  test('takes a mailbox that was made anew under lower UIDs', async () => {
    await withThree({}, 'maildir:~/Maildir', async (store, dovecot) => {
      dovecot.fetch(NAME);
      const other = mailboxGuid('f'.repeat(32));
      {
        await using mailbox = await open(store);
        await using transaction = await mailbox.begin();
        transaction.rebuild({ guid: other, uidValidity: 1_700_000_001 });
        transaction.keep(uid(7), newMail(1, 'plain', { flags: 8, keywords: ['Kept'] }));
        await transaction.save(newMail(2, 'fresh'), body('fresh'));
        transaction.update({ uidNext: 3, highestModseq: 4n });
        await transaction.commit();
      }
      const mails = dovecot.fetch(NAME).map((mail) => [mail.uid, mail.guid, mail.flags]);
      expect(mails).toEqual([
        ['1', 'plain', '\\Seen Kept'],
        ['2', 'fresh', '\\Recent'],
      ]);
      expect(dovecot.status(NAME)).toEqual({
        mailbox: NAME,
        messages: '2',
        uidnext: '3',
        uidvalidity: '1700000001',
        guid: other,
      });
      expect(dovecot.complaints()).toEqual([]);
      await using mailbox = await store.openMailbox(other);
      expect((await mailbox?.changes())?.mails.map((mail) => mail.guid)).toEqual(['plain', 'fresh']);
    });
  });

  test('names made, renamed and deleted are so for Dovecot, children included', async () => {
    const home = makeHome();
    const dovecot = new Doveadm(home, 'maildir:~/Maildir');
    await using store = await openMaildirStore({
      root: join(home, 'Maildir'),
      journal: 'auto',
      fsync: 'on',
      create: true,
    });
    const make = async (path: MailboxPath, digit: string): Promise<void> =>
      store.createMailbox(path, { guid: mailboxGuid(digit.repeat(32)), uidValidity: 5, createdAt: 0 });
    await make(['a'], 'a');
    await make(['a', 'b'], 'b');
    await make(['ab'], 'c');
    await make(['x y'], 'd');
    await store.rename(['a'], ['z'], RECEIVED);
    await store.deleteMailbox(['x y'], mailboxGuid('d'.repeat(32)), RECEIVED);
    expect(dovecot.list()).toEqual(['INBOX', 'ab', 'z', 'z/b']);
    expect(dovecot.status('z/b')).toMatchObject({ guid: 'b'.repeat(32) });
    const tree = await store.readTree();
    expect(
      tree.nodes.map(({ path, mailbox, renamedAt }) => [path.join('/'), mailbox?.guid.slice(0, 1), renamedAt]),
    ).toEqual([
      ['ab', 'c', 0],
      ['z', 'a', RECEIVED],
      ['z/b', 'b', 0],
    ]);
    expect(tree.deletions.mailboxes).toEqual([{ guid: 'd'.repeat(32), time: RECEIVED }]);
    expect(fs.readdirSync(join(home, 'Maildir')).filter((name) => name.includes('TRASH'))).toEqual([]);
    expect(dovecot.complaints()).toEqual([]);
  });
});
