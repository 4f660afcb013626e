/** What other programs, broken disks and administrators do to a Maildir between and during our runs. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { describe, expect, jest, test } from '@jest/globals';
import { mailboxGuid, mailGuid, uid, type MailboxGuid } from '@dsync/protocol';

import { describeWith } from '../../../../tests/support/needs.ts';
import {
  createMemoryJournal,
  openMaildirStore,
  type Mailbox,
  type MaildirStoreOptions,
  type MailStore,
  type NewMail,
} from '../../src/index.ts';
import { makeHome } from './dovecot.ts';

const A = mailboxGuid('a'.repeat(32));
const B = mailboxGuid('b'.repeat(32));
const INBOX = mailboxGuid('1'.repeat(32));

const newMail = (number: number, facts: Partial<NewMail> = {}): NewMail => ({
  uid: uid(number),
  guid: mailGuid(`guid-${number}`),
  flags: 8,
  keywords: [],
  modseq: 1n,
  received: 1_600_000_000,
  ...facts,
});

const body = (number: number): Buffer => Buffer.from(`Subject: ${number}\n\ntext\n`);

class Place {
  readonly root: string;

  constructor(root = join(makeHome(), 'Maildir')) {
    this.root = root;
  }

  /** A fresh process's view of it. */
  open(options: Partial<MaildirStoreOptions> = {}): Promise<MailStore> {
    return openMaildirStore({
      root: this.root,
      journal: 'auto',
      fsync: 'on',
      create: true,
      hostname: 'host.example',
      ...options,
    });
  }

  folder(name: string): string {
    return join(this.root, `.${name}`);
  }

  files(name: string): string[] {
    const folder = this.folder(name);
    return ['cur', 'new'].flatMap((place) =>
      fs.readdirSync(join(folder, place)).map((file) => join(folder, place, file)),
    );
  }
}

/** INBOX, and the mailboxes A and B with mails 1 to 3 each, which a sync has looked at. */
async function makePlace(): Promise<Place> {
  const place = new Place();
  await using store = await place.open();
  await store.createMailbox(['INBOX'], { guid: INBOX, uidValidity: 5, createdAt: 0 });
  for (const [name, guid] of [
    ['A', A],
    ['B', B],
  ] as const) {
    await store.createMailbox([name], { guid, uidValidity: 7, createdAt: 0 });
    await using mailbox = await mustOpen(store, guid);
    await save(mailbox, 1, 2, 3);
    await mailbox.changes();
  }
  await store.readTree();
  return place;
}

async function mustOpen(store: MailStore, guid: MailboxGuid = A): Promise<Mailbox> {
  const mailbox = await store.openMailbox(guid);
  if (mailbox === null) throw new Error('no such mailbox');
  return mailbox;
}

async function save(mailbox: Mailbox, ...numbers: readonly number[]): Promise<void> {
  await using transaction = await mailbox.begin();
  for (const number of numbers) await transaction.save(newMail(number), body(number));
  transaction.update({ uidNext: Math.max(...numbers) + 1 });
  await transaction.commit();
}

async function mails(mailbox: Mailbox): Promise<string> {
  return (await mailbox.changes()).mails.map((mail) => `${mail.uid}=${mail.guid}`).join(' ');
}

async function expunges(mailbox: Mailbox): Promise<string> {
  return (await mailbox.changes()).expunges.map((expunge) => `${expunge.uid}=${expunge.guid}`).join(' ');
}

const ALL = '1=guid-1 2=guid-2 3=guid-3';

describe('a Maildir that others change', () => {
  test('mails that nobody has numbered get UIDs in the order of their arrival', async () => {
    const place = await makePlace();
    for (const name of ['1700000002.M5P1.x', '1700000001.M9P1.x:2,S', '1700000002.M1P1.x']) {
      fs.writeFileSync(join(place.folder('A'), name.includes(':') ? 'cur' : 'new', name), 'x\n');
    }
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect(await mails(mailbox)).toBe(`${ALL} 4=1700000001.M9P1.x 5=1700000002.M1P1.x 6=1700000002.M5P1.x`);
    const uidlist = fs.readFileSync(join(place.folder('A'), 'dovecot-uidlist'), 'utf8');
    expect(uidlist.split('\n').slice(-4, -1)).toEqual([
      '4 :1700000001.M9P1.x',
      '5 :1700000002.M1P1.x',
      '6 :1700000002.M5P1.x',
    ]);
    expect((await mailbox.status()).firstRecentUid).toBe(5);
  });

  test('a directory that got in among the mails is none', async () => {
    const place = await makePlace();
    fs.mkdirSync(join(place.folder('A'), 'cur/1700000001.M9P1.x:2,S/cur'), { recursive: true });
    fs.mkdirSync(join(place.folder('A'), 'new/copied'));
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await save(mailbox, 4);
    expect([await mails(mailbox), await expunges(mailbox)]).toEqual([`${ALL} 4=guid-4`, '']);
  });

  test('a subscription to what can be no mailbox’s name stays in the file, and is not told', async () => {
    const place = await makePlace();
    fs.writeFileSync(join(place.root, 'subscriptions'), '~other\nA\nnot.there\n');
    await using store = await place.open();
    const names = async (): Promise<string[]> =>
      (await store.readTree()).nodes.filter((node) => node.subscribed).map(({ path }) => path.join('.'));
    expect(await names()).toEqual(['A', 'not.there']);
    await store.setSubscribed(['B'], true, 1);
    expect(await names()).toEqual(['A', 'B', 'not.there']);
    expect(fs.readFileSync(join(place.root, 'subscriptions'), 'utf8')).toContain('~other');
  });

  test('hidden files and names with line ends are no mails, unknown letters stay when flags change', async () => {
    const place = await makePlace();
    const cur = join(place.folder('A'), 'cur');
    fs.writeFileSync(join(cur, '.nfs0001'), 'x');
    fs.writeFileSync(join(cur, 'a\nb'), 'x');
    fs.writeFileSync(join(cur, '1700000001.M9P1.x:2,PS,extra'), 'x\n');
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect(await mails(mailbox)).toBe(`${ALL} 4=1700000001.M9P1.x`);
    await using transaction = await mailbox.begin();
    transaction.setFlags(uid(4), 2, ['kw'], 1n);
    await transaction.commit();
    expect(fs.readdirSync(cur)).toContain('1700000001.M9P1.x:2,FPa,extra');
  });

  describe('a mail that a Dovecot has written in another form', () => {
    const plain = Buffer.from('Subject: compressed\n\ntext\n');
    const deliver = async (file: Uint8Array, size: number): Promise<AsyncDisposable & { body: Promise<string> }> => {
      const place = await makePlace();
      fs.writeFileSync(join(place.folder('A'), `cur/1700000001.M9P1.x,S=${size}:2,S`), file);
      const store = await place.open();
      const mailbox = await mustOpen(store);
      const guid = mailGuid(`1700000001.M9P1.x,S=${size}`);
      expect(await mails(mailbox)).toContain(`4=${guid}`);
      const read = async (): Promise<string> => {
        await using content = await mailbox.read(uid(4), guid);
        return Buffer.concat(await collect(content?.body ?? [])).toString();
      };
      return { body: read(), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
    };
    const collect = async (
      of: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | Uint8Array,
    ): Promise<Uint8Array[]> => {
      if (of instanceof Uint8Array) return [of];
      const pieces: Uint8Array[] = [];
      for await (const piece of of) pieces.push(piece);
      return pieces;
    };

    test('with gzip is read as it was before that, and its size as well', async () => {
      await using read = await deliver(gzipSync(plain), plain.length);
      expect(await read.body).toBe('Subject: compressed\n\ntext\n');
    });

    test('with gzip to just its own size is read so, too', async () => {
      const text = Buffer.alloc(100, 'x');
      const packed = gzipSync(text);
      // A comment (RFC 1952) fills it up.
      const comment = Buffer.alloc(text.length - packed.length - 1, 'c');
      const header = [packed.subarray(0, 3), Buffer.from([0x10]), packed.subarray(4, 10), comment, Buffer.from([0])];
      const file = Buffer.concat([...header, packed.subarray(10)]);
      expect(file).toHaveLength(100);
      await using read = await deliver(file, 100);
      expect(await read.body).toBe('x'.repeat(100));
    });

    test('is a mail like any other if gzip notes another size', async () => {
      const file = Buffer.concat([Buffer.from('1f8b', 'hex'), plain]);
      await using read = await deliver(file, file.length);
      expect(await read.body).toBe(file.toString());
    });

    test.each([
      ['compressed (zstd)', '28b52ffd'],
      ['compressed (bzip2)', '425a6839314159265359'],
      ['encrypted (mail-crypt)', '435259505445440307'],
    ])('%s is not taken for the mail', async (how, beginning) => {
      await using read = await deliver(Buffer.from(`${beginning}0000`, 'hex'), 1000);
      await expect(read.body).rejects.toMatchObject({
        exit: 75,
        message: expect.stringMatching(
          new RegExp(`x,S=1000:2,S is ${how.replace(/[()]/g, '.')}, which dsync cannot read$`),
        ),
      });
    });

    test('damaged is not taken for the mail', async () => {
      const packed = gzipSync(plain);
      await using read = await deliver(packed.fill(0, 12, 20), plain.length);
      await expect(read.body).rejects.toMatchObject({ exit: 75, message: expect.stringContaining('cannot unpack ') });
    });
  });

  test('a mail moved to another folder is an expunge here and a new mail there', async () => {
    const place = await makePlace();
    const [file = ''] = place.files('A').filter((name) => fs.readFileSync(name, 'utf8').includes('Subject: 2'));
    const name = '1700000009.M1P1.y:2,S';
    fs.renameSync(file, join(place.folder('B'), 'cur', name));
    await using store = await place.open();
    await using a = await mustOpen(store, A);
    await using b = await mustOpen(store, B);
    expect([await mails(a), await expunges(a)]).toEqual(['1=guid-1 3=guid-3', '2=guid-2']);
    expect(await mails(b)).toBe(`${ALL} 4=1700000009.M1P1.y`);
  });

  test('while another program renames and delivers all the time, no mail is ever taken for expunged', async () => {
    const place = await makePlace();
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await save(mailbox, ...Array.from({ length: 60 }, (_, i) => i + 10));
    const state = { stop: false };
    const writer = (async () => {
      for (let i = 0; !state.stop; i++) {
        const files = place.files('A');
        const file = files[i % files.length] ?? '';
        const [base = '', letters = ''] = file.split(':2,');
        fs.renameSync(
          file,
          `${base.replace('/new/', '/cur/')}:2,${letters.includes('F') ? letters.replace('F', '') : [...letters, 'F'].toSorted().join('')}`,
        );
        if (i % 50 === 0) fs.writeFileSync(join(place.folder('A'), 'new', `17000000${i}.M1P1.w`), 'x\n');
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let round = 0; round < 15; round++) {
        await using transaction = await mailbox.begin();
        await transaction.save(newMail(1000 + round * 100), body(1));
        transaction.setFlags(uid(11 + round), 1, [], 1n);
        await transaction.commit();
        expect((await mailbox.changes()).expunges.filter((expunge) => expunge.guid?.startsWith('guid-'))).toEqual([]);
      }
    } finally {
      state.stop = true;
      await writer;
    }
    const found = new Set((await mailbox.changes()).mails.map((mail) => mail.guid));
    for (let i = 10; i < 70; i++) expect(found).toContain(`guid-${i}`);
  });

  test('an expunge does not take another mail that came under a changed name', async () => {
    const place = await makePlace();
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await using transaction = await mailbox.begin();
    transaction.expunge(uid(2), mailGuid('guid-2'));
    transaction.setFlags(uid(1), 0x1f, [], 1n);
    // A client flags both between our look and the commit.
    for (const file of place.files('A')) fs.renameSync(file, file.replace(':2,S', ':2,FS'));
    const result = await transaction.commit();
    expect(result.expunged).toBe(1);
    expect(await mails(mailbox)).toBe('1=guid-1 3=guid-3');
    expect((await mailbox.changes()).mails[1]).toMatchObject({ uid: 3, addedFlags: 2 });
  });
});

describe('a Maildir whose side files suffer', () => {
  test('a lost dovecot-uidlist comes back from the journal', async () => {
    const place = await makePlace();
    const file = join(place.folder('A'), 'dovecot-uidlist');
    const before = fs.readFileSync(file, 'utf8');
    fs.rmSync(file);
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect(await mails(mailbox)).toBe(ALL);
    expect(fs.readFileSync(file, 'utf8')).toBe(before);
  });

  test('a uidlist that another program made anew is another identity of the same mailbox, no deletion', async () => {
    const place = await makePlace();
    const file = join(place.folder('A'), 'dovecot-uidlist');
    const lines = fs.readFileSync(file, 'utf8').split('\n').slice(1, -1);
    const records = lines.map((line, i) => `${i + 11} ${line.slice(line.indexOf(' ') + 1)}\n`);
    fs.writeFileSync(file, `3 V99 N14 G${'c'.repeat(32)}\n${records.join('')}`);
    await using store = await place.open();
    const tree = await store.readTree();
    expect(tree.deletions.mailboxes).toEqual([]);
    await using mailbox = await mustOpen(store, mailboxGuid('c'.repeat(32)));
    expect(await mails(mailbox)).toBe('11=guid-1 12=guid-2 13=guid-3');
    expect(await expunges(mailbox)).toBe('');
  });

  test('a corrupt uidlist is an error that names the line, and stays as it is', async () => {
    const place = await makePlace();
    const file = join(place.folder('A'), 'dovecot-uidlist');
    fs.appendFileSync(file, 'rubbish\n');
    const before = fs.readFileSync(file, 'utf8');
    await using store = await place.open();
    await expect(store.readTree()).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringMatching(/dovecot-uidlist line 5: .*; once it is moved away, it is made anew/),
    });
    expect(fs.readFileSync(file, 'utf8')).toBe(before);
    fs.rmSync(file);
    await store.readTree();
    expect(fs.readFileSync(file, 'utf8')).toBe(before.replace('rubbish\n', ''));
    expect(place.files('A')).toHaveLength(3);
  });

  test('a corrupt journal is set aside, nothing is lost and nothing deleted', async () => {
    const place = await makePlace();
    fs.writeFileSync(join(place.root, 'dsync-journal'), 'rubbish'.repeat(2000));
    const warnings: string[] = [];
    await using store = await place.open({ warn: (message) => warnings.push(message) });
    const tree = await store.readTree();
    expect(tree.nodes.map(({ path }) => path.join('/'))).toEqual(['A', 'B', 'INBOX']);
    expect(tree.deletions).toEqual({ mailboxes: [], directories: [], unsubscribes: [] });
    await using mailbox = await mustOpen(store);
    expect(await mails(mailbox)).toBe(ALL);
    expect(warnings).toEqual([expect.stringContaining('dsync-journal.damaged')]);
  });

  test('without a journal there is no history, and nothing is deleted', async () => {
    const place = await makePlace();
    for (const file of place.files('A').slice(1)) fs.rmSync(file);
    fs.rmSync(place.folder('B'), { recursive: true });
    await using store = await place.open({ journal: createMemoryJournal() });
    const tree = await store.readTree();
    expect(tree.deletions.mailboxes).toEqual([]);
    await using mailbox = await mustOpen(store);
    expect(await expunges(mailbox)).toBe('');
  });

  test('keywords of which the letters are lost have names all the same', async () => {
    const place = await makePlace();
    const [file = ''] = place.files('A');
    fs.renameSync(file, file.replace(':2,S', ':2,Sc'));
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect((await mailbox.changes()).mails.flatMap((mail) => mail.keywords)).toEqual(['unknown-2']);
  });
});

describe('a Maildir with more keywords than letters', () => {
  const MANY = Array.from({ length: 30 }, (_, i) => `k${String(i).padStart(2, '0')}`);
  const keywordsOf = async (mailbox: Mailbox, number: number): Promise<readonly string[]> =>
    (await mailbox.changes()).mails.find((mail) => mail.uid === number)?.keywords ?? [];

  /** Mail 4 has all of them, mail 5 the last two. */
  const makeFull = async (): Promise<Place> => {
    const place = await makePlace();
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(4, { keywords: MANY }), body(4));
    await transaction.save(newMail(5, { keywords: ['k28', 'k29'] }), body(5));
    await transaction.commit();
    return place;
  };

  const rename = (place: Place, subject: number, letters: (old: string) => string): void => {
    const [file = ''] = place.files('A').filter((name) => fs.readFileSync(name, 'utf8').includes(`: ${subject}\n`));
    fs.renameSync(file, file.replace(/(?<=:2,)[A-Za-z]*$/, letters));
  };

  test('keeps them all, and nothing counts as changed when it is looked at again', async () => {
    const place = await makeFull();
    const names = place.files('A').map((name) => name.replace(/.*:2,/, ''));
    expect(names).toContain('Sabcdefghijklmnopqrstuvwxyz');
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    const { highestModseq, digest } = await mailbox.status();
    expect(await keywordsOf(mailbox, 4)).toEqual(MANY);
    expect(await keywordsOf(mailbox, 5)).toEqual(['k28', 'k29']);
    rename(place, 1, () => 'S');
    fs.utimesSync(join(place.folder('A'), 'cur'), 1_700_000_000, 1_700_000_000);
    expect(await mailbox.status()).toMatchObject({ highestModseq, digest });
  });

  test('what other programs change leaves those without a letter alone', async () => {
    const place = await makeFull();
    rename(place, 4, () => 'FSbc');
    rename(place, 5, () => 'Sa');
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect(await keywordsOf(mailbox, 4)).toEqual(['k01', 'k02', 'k26', 'k27', 'k28', 'k29']);
    expect(await keywordsOf(mailbox, 5)).toEqual(['k00', 'k28', 'k29']);
  });

  test('a sync sets and removes them, copies and renumbered mails have them', async () => {
    const place = await makeFull();
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    {
      await using transaction = await mailbox.begin();
      transaction.setFlags(uid(4), 8, ['k00', 'k27', 'K99'], 1n);
      transaction.setFlags(uid(1), 8, ['k29'], 1n);
      transaction.copy(uid(5), newMail(6, { keywords: ['k01', 'k29'] }));
      transaction.renumber(uid(5), uid(7));
      await transaction.commit();
    }
    const expected = [['k29'], [], [], ['k00', 'k27', 'K99'], ['k01', 'k29'], ['k28', 'k29']];
    expect((await mailbox.changes()).mails.map(({ keywords }) => keywords)).toEqual(expected);
    await using again = await place.open();
    await using later = await mustOpen(again);
    fs.utimesSync(join(place.folder('A'), 'cur'), 1_700_000_000, 1_700_000_000);
    expect((await later.changes()).mails.map(({ keywords }) => keywords)).toEqual(expected);
  });

  test('they are known without the journal', async () => {
    const place = await makeFull();
    {
      await using store = await place.open();
      await using mailbox = await mustOpen(store);
      await using transaction = await mailbox.begin();
      transaction.setFlags(uid(4), 8, MANY.slice(0, 28), 1n);
      transaction.setFlags(uid(5), 8, ['k28'], 1n);
      await transaction.commit();
    }
    await using store = await place.open({ journal: createMemoryJournal() });
    await using mailbox = await mustOpen(store);
    expect((await mailbox.changes()).expunges).toEqual([]);
    expect(await keywordsOf(mailbox, 4)).toEqual(MANY.slice(0, 28));
    expect(await keywordsOf(mailbox, 5)).toEqual(['k28']);
  });

  test('one that gets a letter after all stays, and can then be taken away by other programs', async () => {
    const place = await makeFull();
    const file = join(place.folder('A'), 'dovecot-keywords');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('0 k00\n', '0 k29\n'));
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect(await keywordsOf(mailbox, 5)).toEqual(['k28', 'k29']);
    {
      await using transaction = await mailbox.begin();
      transaction.setFlags(uid(5), 8, ['k28', 'k29'], 1n);
      await transaction.commit();
    }
    rename(place, 5, () => 'S');
    expect(await keywordsOf(mailbox, 5)).toEqual(['k28']);
  });
});

describe('a Maildir that is moved about', () => {
  test('a link that leads nowhere, as of a disk that is not mounted, is to be tried again later', async () => {
    const home = makeHome();
    fs.symlinkSync(join(home, 'disk'), join(home, 'link'));
    await expect(new Place(join(home, 'link/Maildir')).open()).rejects.toMatchObject({ code: 'Temporary', exit: 75 });
    fs.mkdirSync(join(home, 'disk'));
    await using store = await new Place(join(home, 'link/Maildir')).open();
    expect((await store.readTree()).nodes).toEqual([]);
  });

  test('a folder that another program removed is a deletion, INBOX never is', async () => {
    const place = await makePlace();
    fs.rmSync(place.folder('A'), { recursive: true });
    await using store = await place.open({ now: () => 1_800_000_000 });
    const tree = await store.readTree();
    expect(tree.deletions.mailboxes).toEqual([{ guid: A, time: 1_800_000_000 }]);
    expect(tree.nodes.map(({ path }) => path.join('/'))).toEqual(['B', 'INBOX']);
    for (const name of ['cur', 'new', 'tmp']) fs.rmSync(join(place.root, name), { recursive: true });
    await expect(store.readTree()).rejects.toMatchObject({
      code: 'Temporary',
      message: expect.stringContaining('INBOX has vanished'),
    });
    await expect(place.open()).rejects.toMatchObject({ code: 'Temporary' });
  });

  test('a link is the mailbox that it leads to, each only once, and never deleted because a disk is missing', async () => {
    const place = await makePlace();
    const disk = join(makeHome(), 'disk');
    fs.mkdirSync(disk);
    fs.renameSync(place.folder('B'), join(disk, 'B'));
    fs.symlinkSync(join(disk, 'B'), place.folder('B'));
    fs.symlinkSync(join(disk, 'B'), place.folder('C'));
    fs.symlinkSync('.', place.folder('Loop'));
    fs.symlinkSync('.A', place.folder('Twin'));
    fs.symlinkSync('/', place.folder('Dangling'));
    const warnings: string[] = [];
    await using store = await place.open({ warn: (message) => warnings.push(message) });
    const names = async (): Promise<string[]> =>
      (await store.readTree()).nodes.filter(({ exists }) => exists).map(({ path }) => path.join('.'));
    expect(await names()).toEqual(['A', 'B', 'INBOX']);
    expect(warnings.map((text) => text.replace(/^.*Maildir\/\./, '')).toSorted()).toEqual([
      'C is left alone: it leads to a folder that is synchronised under another name',
      'Dangling is a link that leads to no mail folder; it is left alone',
      'Loop is left alone: it leads to a folder that is synchronised under another name',
      'Twin is left alone: it leads to a folder that is synchronised under another name',
    ]);
    await using mailbox = await mustOpen(store, B);
    await save(mailbox, 4);
    expect(await mails(mailbox)).toBe(`${ALL} 4=guid-4`);
    await expect(store.createMailbox(['Dangling'], { guid: A, uidValidity: 9, createdAt: 0 })).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    fs.renameSync(disk, `${disk}-unmounted`);
    await expect(store.readTree()).rejects.toMatchObject({
      code: 'Temporary',
      message: 'B is a link that leads to no mail folder any more: is a file system not mounted?',
    });
    fs.renameSync(`${disk}-unmounted`, disk);
    await store.deleteMailbox(['B'], B, 1);
    expect(fs.readdirSync(disk)).toEqual(['B']);
  });

  test('a folder that another program renamed is the same mailbox under a new name', async () => {
    const place = await makePlace();
    fs.renameSync(place.folder('A'), place.folder('Z'));
    await using store = await place.open({ now: () => 1_800_000_000 });
    const tree = await store.readTree();
    expect(tree.nodes.find(({ path }) => path[0] === 'Z')).toMatchObject({
      renamedAt: 1_800_000_000,
      mailbox: { guid: A },
    });
    expect(tree.deletions.mailboxes).toEqual([]);
    expect((await store.readTree()).nodes.find(({ path }) => path[0] === 'Z')).toMatchObject({
      renamedAt: 1_800_000_000,
    });
  });

  test('of two folders with one GUID the one whose name sorts first gets another', async () => {
    const place = await makePlace();
    execFileSync('cp', ['-a', place.folder('B'), place.folder('AA')]);
    const warnings: string[] = [];
    await using store = await place.open({ warn: (message) => warnings.push(message) });
    const tree = await store.readTree();
    const guids = tree.nodes.map(({ path, mailbox }) => [path[0], mailbox?.guid === B]);
    expect(guids).toEqual([
      ['A', false],
      ['AA', false],
      ['B', true],
      ['INBOX', false],
    ]);
    expect(warnings).toEqual([expect.stringContaining(B)]);
    expect(tree.deletions.mailboxes).toEqual([]);
    const copy = tree.nodes.find(({ path }) => path[0] === 'AA')?.mailbox?.guid;
    expect(copy).toMatch(/^[0-9a-f]{32}$/);
    expect((await store.readTree()).nodes.find(({ path }) => path[0] === 'AA')?.mailbox?.guid).toBe(copy);
    await using mailbox = await mustOpen(store, copy);
    expect(await mails(mailbox)).toBe(ALL);
  });

  test('a store copied as a whole is listed again, and nothing in it counts as changed', async () => {
    const place = await makePlace();
    const home = makeHome();
    execFileSync('cp', ['-a', place.root, join(home, 'Maildir')]);
    await using store = await new Place(join(home, 'Maildir')).open();
    await using mailbox = await mustOpen(store);
    expect([await mails(mailbox), await expunges(mailbox)]).toEqual([ALL, '']);
  });

  test('what was written without flushes leaves no history behind', async () => {
    const place = await makePlace();
    {
      await using store = await place.open({ fsync: 'off' });
      await using mailbox = await mustOpen(store);
      await save(mailbox, 10, 11);
      expect(await mails(mailbox)).toBe(`${ALL} 10=guid-10 11=guid-11`);
    }
    // As if the power had been cut before they got to the disk.
    for (const file of place.files('A')) if (/Subject: 1[01]/.test(fs.readFileSync(file, 'utf8'))) fs.rmSync(file);
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    expect([await mails(mailbox), await expunges(mailbox)]).toEqual([ALL, '']);
  });
});

test('an unchanged store is known by a few stats, however many mails are in it', async () => {
  const place = await makePlace();
  // INBOX was made just now; the others were sealed by a commit.
  for (const name of ['cur', 'new']) fs.utimesSync(join(place.root, name), 1_700_000_000.5, 1_700_000_000.5);
  await using store = await place.open();
  await store.readTree();
  const list = jest.spyOn(fs, 'readdirSync');
  const read = jest.spyOn(fs, 'readFileSync');
  try {
    await store.readTree();
    // The root, for its names, and nothing in any mailbox.
    expect(list.mock.calls.map(([directory]) => String(directory))).toEqual([place.root]);
    const files = read.mock.calls.map(([file]) => String(file).slice(place.root.length));
    expect(files.filter((file) => file.includes('uidlist') && !file.startsWith('/dovecot'))).toEqual([]);
  } finally {
    list.mockRestore();
    read.mockRestore();
  }
});

describeWith(['root'], 'a disk that may only be read', () => {
  test('is read with other places for what has to be written', async () => {
    const mount = makeHome();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'none', mount]);
    try {
      const place = new Place(join(mount, 'Maildir'));
      for (const part of ['cur', 'new', 'tmp']) fs.mkdirSync(join(place.root, part), { recursive: true });
      fs.writeFileSync(join(place.root, 'cur/1700000001.M9P1.x:2,S'), 'x\n');
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      await expect(place.open()).rejects.toMatchObject({
        code: 'Permission',
        message: expect.stringMatching(/EROFS.*; INDEX=FOLDER in the mail location, and CONTROL=FOLDER/),
      });
      const aside = makeHome();
      await using store = await place.open({ indexDir: join(aside, 'index'), control: join(aside, 'control') });
      const guid = (await store.readTree()).nodes[0]?.mailbox?.guid;
      await using mailbox = await mustOpen(store, guid);
      expect(await mails(mailbox)).toBe('1=1700000001.M9P1.x');
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });

  test('is said to be so', async () => {
    const mount = makeHome();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', mount]);
    try {
      await expect(new Place(join(mount, 'Maildir')).open()).rejects.toMatchObject({
        code: 'Permission',
        exit: 77,
        message: expect.stringMatching(/^cannot make directory .*EROFS: read-only file system/),
      });
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});

describeWith(['root'], 'a full disk', () => {
  test('fails a save or a commit, and leaves everything as it was', async () => {
    const mount = makeHome();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=755', 'none', mount]);
    try {
      const place = new Place(join(mount, 'Maildir'));
      await using store = await place.open({ journal: createMemoryJournal() });
      await store.createMailbox(['A'], { guid: A, uidValidity: 7, createdAt: 0 });
      await using mailbox = await mustOpen(store);
      await save(mailbox, 1, 2, 3);
      const before = [await mails(mailbox), place.files('A').toSorted(), (await mailbox.status()).digest];
      {
        await using transaction = await mailbox.begin();
        await expect(transaction.save(newMail(4), Buffer.alloc(1_000_000, 'x'))).rejects.toMatchObject({
          code: 'DiskFull',
        });
      }
      {
        await using transaction = await mailbox.begin();
        await transaction.save(newMail(4), body(4));
        transaction.expunge(uid(1), mailGuid('guid-1'));
        transaction.setFlags(uid(2), 1, ['kw'], 1n);
        fs.writeFileSync(join(mount, 'filler'), '');
        expect(() => fs.appendFileSync(join(mount, 'filler'), Buffer.alloc(1_000_000))).toThrow('ENOSPC');
        await expect(transaction.commit()).rejects.toMatchObject({ code: 'DiskFull' });
      }
      expect(fs.readdirSync(join(place.folder('A'), 'tmp'))).toEqual([]);
      expect(fs.readdirSync(place.folder('A')).filter((name) => /lock|\.tmp/.test(name))).toEqual([]);
      expect([await mails(mailbox), place.files('A').toSorted(), (await mailbox.status()).digest]).toEqual(before);
      fs.rmSync(join(mount, 'filler'));
      await save(mailbox, 5);
      expect(await mails(mailbox)).toBe(`${ALL} 5=guid-5`);
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});
