/** What other programs do to the mails of a Maildir, between our runs and during them. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import { FLAG, mailGuid, uid } from '@dsync/protocol';

import { A, ALL, B, body, expunges, mails, makePlace, mustOpen, newMail, save } from './place.ts';

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

  test('a pipe among the mails is not waited for', async () => {
    const place = await makePlace();
    const pipe = join(place.folder('A'), 'cur/1700000001.M9P1.x:2,S');
    execFileSync('mkfifo', [pipe]);
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await mailbox.status();
    await expect(mailbox.read(uid(4), mailGuid('1700000001.M9P1.x'))).rejects.toThrow(`${pipe} is no mail`);
    await expect(mailbox.facts()).rejects.toThrow(`${pipe} is no mail`);
  });

  test('new/ and tmp/ that a copying program has left out are made for the next mail', async () => {
    const place = await makePlace();
    for (const name of ['new', 'tmp']) fs.rmdirSync(join(place.folder('A'), name));
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await save(mailbox, 4);
    expect(await mails(mailbox)).toBe(`${ALL} 4=guid-4`);
    expect(fs.readdirSync(place.folder('A'))).toEqual(expect.arrayContaining(['cur', 'new', 'tmp']));
  });

  test('flags change as well where new/ and tmp/ are left out', async () => {
    const place = await makePlace();
    for (const name of ['new', 'tmp']) fs.rmdirSync(join(place.folder('A'), name));
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await using transaction = await mailbox.begin();
    transaction.setFlags(uid(1), FLAG.flagged, [], 9n);
    expect(await transaction.commit()).toMatchObject({ flagged: 1 });
    expect((await mailbox.changes()).mails.at(0)).toMatchObject({ uid: 1, flags: FLAG.flagged });
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

  test('a flag that another program sets while a commit ends is seen by the next look', async () => {
    const place = await makePlace();
    let flagged = '';
    const checkpoint = (step: string): void => {
      if (step !== 'files' || flagged !== '') return;
      const file = place.files('A').find((name) => /Subject: 2/.test(fs.readFileSync(name, 'utf8'))) ?? '';
      flagged = file.replace(/:2,.*$/, ':2,FS');
      fs.renameSync(file, flagged);
    };
    await using store = await place.open({ checkpoint });
    await using mailbox = await mustOpen(store);
    await save(mailbox, 4);
    expect(fs.existsSync(flagged)).toBe(true);
    expect((await mailbox.changes()).mails.map((mail) => [mail.uid, mail.flags])).toEqual([
      [1, 8],
      [2, 10],
      [3, 8],
      [4, 8],
    ]);
  });

  test('what another program does between two transactions is seen by the second', async () => {
    const place = await makePlace();
    await using store = await place.open();
    await using mailbox = await mustOpen(store);
    await save(mailbox, 4, 5);
    const fileOf = (number: number): string =>
      place.files('A').find((name) => fs.readFileSync(name, 'utf8').includes(`Subject: ${number}\n`)) ?? '';
    fs.renameSync(fileOf(2), fileOf(2).replace(':2,S', ':2,FS'));
    fs.rmSync(fileOf(4));
    fs.writeFileSync(join(place.folder('A'), 'new', '1700000001.M9P1.x'), 'Subject: delivered\n\n');
    await save(mailbox, 7, 8);
    const delivered = '6=1700000001.M9P1.x';
    expect(await mails(mailbox)).toBe(`${ALL} 5=guid-5 ${delivered} 7=guid-7 8=guid-8`);
    expect((await mailbox.changes()).mails[1]).toMatchObject({ uid: 2, flags: 10, addedFlags: 2 });
    expect(await expunges(mailbox)).toBe('4=guid-4');
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
          `${base.replace('/new/', '/cur/')}:2,${letters.includes('F') ? letters.replace('F', '') : Array.from(`${letters}F`).toSorted().join('')}`,
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
