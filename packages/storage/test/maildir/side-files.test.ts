/** What happens to the files beside the mails of a Maildir. */
import fs from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import { mailboxGuid } from '@dsync/protocol';

import { createMemoryJournal } from '../../src/index.ts';
import { ALL, expunges, mails, makePlace, mustOpen } from './place.ts';

describe('a Maildir whose side files suffer', () => {
  test('a lost dovecot-uidlist comes back from the journal', async () => {
    const place = await makePlace();
    const file = join(place.folder('A'), 'dovecot-uidlist');
    const before = fs.readFileSync(file, 'utf8');
    fs.rmSync(file);
    const warnings: string[] = [];
    await using store = await place.open({ warn: (message) => warnings.push(message) });
    await using mailbox = await mustOpen(store);
    expect(await mails(mailbox)).toBe(ALL);
    expect(fs.readFileSync(file, 'utf8')).toBe(before);
    expect(warnings).toEqual(['mailbox A: dovecot-uidlist was missing, 3 UIDs restored from the journal']);
  });

  test('the number that is told of one UID is singular', async () => {
    const place = await makePlace();
    for (const file of [join(place.folder('A'), 'dovecot-uidlist'), ...place.files('A').slice(1)]) fs.rmSync(file);
    const warnings: string[] = [];
    await using store = await place.open({ warn: (message) => warnings.push(message) });
    await store.readTree();
    expect(warnings).toEqual(['mailbox A: dovecot-uidlist was missing, 1 UID restored from the journal']);
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

  test.each([
    ['.A/dovecot-uidlist', 'rubbish\n', /FILE line 1: /],
    ['.A/dovecot-keywords', 'rubbish rubbish\n', /FILE line 1: malformed keyword/],
    ['subscriptions', null, /^cannot read FILE: .*EISDIR/],
  ] as const)('a dry run names the %s that its user knows, not the one that it looks at', async (name, text, said) => {
    const place = await makePlace();
    const file = join(place.root, name);
    fs.rmSync(file, { force: true });
    if (text === null) fs.mkdirSync(file);
    else fs.writeFileSync(file, text);
    await using store = await place.open({ untouched: true });
    const look = async (): Promise<unknown> => {
      await store.readTree();
      await using mailbox = await mustOpen(store);
      return await mails(mailbox);
    };
    const message = expect.stringMatching(new RegExp(said.source.replace('FILE', file)));
    await expect(look()).rejects.toMatchObject({ message });
  });

  test('a dry run says of a damaged journal what is wrong, and leaves it as it is', async () => {
    const place = await makePlace();
    const file = join(place.root, 'dsync-journal');
    fs.writeFileSync(file, 'rubbish'.repeat(2000));
    const warnings: string[] = [];
    await using _store = await place.open({ untouched: true, warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      `journal ${file} is damaged (not a journal); without it the next run compares everything`,
    ]);
    expect(fs.readFileSync(file, 'utf8')).toBe('rubbish'.repeat(2000));
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
