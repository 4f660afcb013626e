/** Keywords for which a Maildir has no letter left. */
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import { uid } from '@dsync/protocol';

import { createMemoryJournal, type Mailbox } from '../../src/index.ts';
import { body, makePlace, mustOpen, newMail, type Place } from './place.ts';

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
