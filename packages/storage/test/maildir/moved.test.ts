/** Folders that other programs remove, rename, link and copy. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { makeHome } from './dovecot.ts';
import { A, ALL, B, expunges, mails, makePlace, mustOpen, Place, save } from './place.ts';

describe('a Maildir that is moved about', () => {
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

  test('a folder that is empty all of a sudden is a disk that is missing, until it is removed', async () => {
    const place = await makePlace();
    fs.renameSync(place.folder('B'), join(place.root, 'aside'));
    fs.mkdirSync(place.folder('B'));
    // Nothing is known of this one.
    fs.mkdirSync(place.folder('New'));
    await using store = await place.open();
    await expect(store.readTree()).rejects.toMatchObject({
      code: 'Temporary',
      exit: 75,
      message: `${place.folder('B')} is empty: is a file system not mounted? (If the mailbox is to be deleted, remove the folder.)`,
    });
    fs.rmdirSync(place.folder('B'));
    expect((await store.readTree()).deletions.mailboxes).toMatchObject([{ guid: B }]);
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

  test('a copy of INBOX that has its GUID does not take what is remembered of it', async () => {
    const place = await makePlace();
    const deliver = (folder: string, base: string): void =>
      fs.writeFileSync(join(folder, 'cur', `${base}:2,S`), `Subject: ${base}\n\n`);
    deliver(place.root, '1700000001.M1P1.x');
    deliver(place.root, '1700000002.M1P1.x');
    {
      await using store = await place.open();
      await store.readTree();
    }
    fs.mkdirSync(place.folder('Z'));
    for (const name of ['cur', 'new', 'tmp', 'dovecot-uidlist'])
      execFileSync('cp', ['-a', join(place.root, name), place.folder('Z')]);
    deliver(place.root, '1700000003.M1P1.x');
    deliver(place.folder('Z'), '1700000004.M1P1.x');
    for (let i = 0; i < 2; i++) {
      await using store = await place.open();
      const { nodes } = await store.readTree();
      const contents: string[] = [];
      for (const name of ['INBOX', 'Z']) {
        await using mailbox = await mustOpen(store, nodes.find(({ path }) => path[0] === name)?.mailbox?.guid);
        contents.push(await mails(mailbox));
      }
      expect(contents).toEqual([
        '1=1700000001.M1P1.x 2=1700000002.M1P1.x 3=1700000003.M1P1.x',
        '1=1700000001.M1P1.x 2=1700000002.M1P1.x 3=1700000004.M1P1.x',
      ]);
    }
  });

  test('a store copied as a whole is listed again, and nothing in it counts as changed', async () => {
    const place = await makePlace();
    const home = makeHome();
    execFileSync('cp', ['-a', place.root, join(home, 'Maildir')]);
    await using store = await new Place(join(home, 'Maildir')).open();
    await using mailbox = await mustOpen(store);
    expect([await mails(mailbox), await expunges(mailbox)]).toEqual([ALL, '']);
  });
});
