/** Disks that are missing, full, may only be read, or lose what was not flushed; and what an unchanged store costs them. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';
import { mailGuid, uid } from '@dsync/protocol';

import { describeWith } from '../../../../tests/support/needs.ts';
import { createMemoryJournal } from '../../src/index.ts';
import { openLmdbJournal } from '../../src/journal/lmdb-journal.ts';
import { headOf } from '../journal/rows.ts';
import { makeHome } from './dovecot.ts';
import { A, ALL, body, expunges, mails, makePlace, mustOpen, newMail, Place, save } from './place.ts';

test('a link that leads nowhere, as of a disk that is not mounted, is to be tried again later', async () => {
  const home = makeHome();
  fs.symlinkSync(join(home, 'disk'), join(home, 'link'));
  await expect(new Place(join(home, 'link/Maildir')).open()).rejects.toMatchObject({ code: 'Temporary', exit: 75 });
  fs.mkdirSync(join(home, 'disk'));
  await using store = await new Place(join(home, 'link/Maildir')).open();
  expect((await store.readTree()).nodes).toEqual([]);
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

  test('under the journal alone is said to be so', async () => {
    const mount = makeHome();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=755', 'none', mount]);
    try {
      const journal = await openLmdbJournal(join(mount, 'journal'), { fsync: 'on' });
      await expect(journal.write([{ head: headOf(1, { fingerprint: 'x'.repeat(1_000_000) }) }])).rejects.toMatchObject({
        code: 'DiskFull',
        message: `journal ${join(mount, 'journal')}: no space left on device`,
      });
      execFileSync('mount', ['-o', 'remount,size=4m', mount]);
      await journal[Symbol.asyncDispose]();
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});
