import { createHash } from 'node:crypto';

import { expect, test } from '@jest/globals';

import { FLAG, mailGuid } from '@dsync/protocol';

import {
  bodyOf,
  box,
  bytesOf,
  contents,
  INBOX,
  INBOX_GUID,
  mailboxAt,
  newMail,
  nodeAt,
  placed,
  readBody,
  Stage,
  u,
  type StoreFactory,
} from './stage.ts';

/** Saving, copying, flagging, expunging, and that all of it happens at once or not at all. */
export function transactionSuite(factory: StoreFactory): void {
  test('saves a mail with everything that belongs to it', async () => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    const body = bodyOf('m1');
    await transaction.save(
      newMail(5, 'm1', {
        flags: FLAG.seen | FLAG.draft,
        keywords: ['work', 'Älter'],
        modseq: 77n,
        received: 1_234_567_890,
        pop3Uidl: 'p-1',
      }),
      body,
    );
    expect(await transaction.commit()).toMatchObject({
      uidsChanged: false,
      saved: 1,
      copied: 0,
      flagged: 0,
      expunged: 0,
      renumbered: 0,
    });

    const again = await stage.mailbox();
    const { mails } = await again.changes();
    expect(mails).toMatchObject([
      {
        uid: 5,
        guid: 'm1',
        flags: FLAG.seen | FLAG.draft,
        addedFlags: 0,
        removedFlags: 0,
        addedKeywords: [],
        removedKeywords: [],
      },
    ]);
    expect(mails[0]?.keywords.toSorted()).toEqual(['work', 'Älter']);
    expect(mails[0]?.modseq).toBeGreaterThanOrEqual(77n);
    expect(await again.status()).toMatchObject({ uidNext: 6, messages: 1 });
    expect((await again.facts()).get(u(5))).toEqual({ received: 1_234_567_890, virtualSize: body.length + 4 });
    await using content = await again.read(u(5), mailGuid('m1'));
    expect(content).toMatchObject({ received: 1_234_567_890, pop3Uidl: 'p-1' });
    expect(content && (await bytesOf(content.body))).toEqual(body);
  });

  test.each([
    ['empty', ''],
    ['without a line end', 'x'],
    ['with bare carriage returns and NUL', 'a\rb\0c\r\r\nd\n'],
    ['with CRLF', 'A: b\r\n\r\nc\r\n'],
  ])('stores a body %s as it is', async (_, text) => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(1, 'm1'), Buffer.from(text));
    await transaction.commit();
    expect(await readBody(await stage.mailbox(), 1, 'm1')).toEqual(Buffer.from(text));
  });

  test('streams a body of several megabytes in and out', async () => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    const sent = createHash('sha256');
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 97; i++) {
        const chunk = Buffer.alloc(50_000 + i, `${i} line\r\n`);
        sent.update(chunk);
        yield chunk;
      }
    }
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(1, 'big'), body());
    await transaction.commit();
    await using content = await mailbox.read(u(1), mailGuid('big'));
    const received = createHash('sha256');
    let largest = 0;
    if (content === null || content.body instanceof Uint8Array) throw new Error('a large body comes in chunks');
    for await (const chunk of content.body) {
      largest = Math.max(largest, chunk.length);
      received.update(chunk);
    }
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect(largest).toBeLessThanOrEqual(64 * 1024);
  });

  test('passes on what reading a body throws, keeps nothing of it, and goes on', async () => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    const broken = new Error('the wire was cut');
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw broken;
    }
    await expect(transaction.save(newMail(1, 'half'), body())).rejects.toBe(broken);
    await transaction.save(newMail(2, 'whole'), bodyOf('whole'));
    await transaction.commit();
    expect(await contents(await stage.mailbox())).toBe('2=whole');
  });

  test('takes several saves at once', async () => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
    await Promise.all(numbers.map(async (n) => await transaction.save(newMail(n, `m${n}`), bodyOf(`m${n}`))));
    expect(await transaction.commit()).toMatchObject({ saved: 40 });
    const again = await stage.mailbox();
    expect(await contents(again)).toBe(numbers.map((n) => `${n}=m${n}`).join(' '));
    for (const n of numbers) expect(await readBody(again, n, `m${n}`)).toEqual(bodyOf(`m${n}`));
  });

  test('copies, renumbers, flags and expunges in one step', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3', 'm4']);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    transaction.copy(u(1), placed(10, 'm1', { keywords: ['twice'] }));
    transaction.expunge(u(1), mailGuid('m1'));
    transaction.setFlags(u(2), FLAG.flagged, ['work'], 50n);
    transaction.renumber(u(2), u(11));
    transaction.setFlags(u(3), FLAG.seen, [], 60n);
    expect(await transaction.commit()).toMatchObject({
      uidsChanged: false,
      saved: 0,
      copied: 1,
      flagged: 2,
      expunged: 1,
      renumbered: 1,
    });
    const again = await stage.mailbox();
    expect((await again.changes()).mails).toMatchObject([
      { uid: 3, guid: 'm3', flags: FLAG.seen, keywords: [] },
      { uid: 4, guid: 'm4', flags: 0, keywords: [] },
      { uid: 10, guid: 'm1', flags: 0, keywords: ['twice'] },
      { uid: 11, guid: 'm2', flags: FLAG.flagged, keywords: ['work'] },
    ]);
    expect((await again.changes()).expunges.map(({ uid, guid }) => [uid, guid])).toEqual([
      [1, 'm1'],
      [2, 'm2'],
    ]);
    expect(await readBody(again, 10, 'm1')).toEqual(bodyOf('m1'));
    expect(await readBody(again, 11, 'm2')).toEqual(bodyOf('m2'));
    expect((await again.facts()).get(u(11))?.received).toBe(1_700_000_000);
    expect(await again.status()).toMatchObject({ uidNext: 12, messages: 4 });
  });

  test('does not expunge or read another mail than the one that is meant', async () => {
    await using stage = await Stage.set(factory, ['m1']);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    transaction.expunge(u(1), mailGuid('other'));
    transaction.expunge(u(9), mailGuid('m1'));
    expect(await transaction.commit()).toMatchObject({ expunged: 0 });
    expect(await contents(await stage.mailbox())).toBe('1=m1');
    expect(await readBody(mailbox, 1, 'other')).toBeNull();
    expect(await readBody(mailbox, 2, 'm1')).toBeNull();
  });

  test('only ever raises UIDNEXT, HIGHESTMODSEQ and the first recent UID', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const mailbox = await stage.mailbox();
    const update = async (numbers: object): Promise<void> => {
      await using transaction = await mailbox.begin();
      transaction.update(numbers);
      await transaction.commit();
    };
    await update({ uidNext: 20, highestModseq: 500n, firstRecentUid: 3 });
    await update({ uidNext: 1, highestModseq: 1n, firstRecentUid: 1 });
    const status = await (await stage.mailbox()).status();
    expect(status).toMatchObject({ uidNext: 20, firstRecentUid: 3 });
    expect(status.highestModseq).toBeGreaterThanOrEqual(500n);
    await update({ uidValidity: 4711 });
    expect(await (await stage.mailbox()).status()).toMatchObject({ uidValidity: 4711, uidNext: 20, messages: 2 });
    expect(await contents(await stage.mailbox())).toBe('1=m1 2=m2');
  });

  test('gives a mailbox another GUID and keeps what it remembers', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    await (await stage.mailbox()).changes();
    await stage.user.expunge(INBOX, 1);
    await using transaction = await (await stage.mailbox()).begin();
    transaction.update({ guid: box(99) });
    await transaction.commit();
    const store = await stage.store();
    expect((await nodeAt(store, INBOX))?.mailbox?.guid).toBe(box(99));
    expect((await store.readTree()).deletions.mailboxes).toEqual([]);
    expect(await store.openMailbox(INBOX_GUID)).toBeNull();
    const changes = await (await mailboxAt(store, INBOX)).changes();
    expect(changes).toMatchObject({ mails: [{ uid: 2, guid: 'm2' }], expunges: [{ uid: 1, guid: 'm1' }] });
  });

  test('shows nothing of a transaction before its commit', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const mailbox = await stage.mailbox();
    const reader = await stage.mailbox();
    const before = await reader.status();
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(3, 'm3'), bodyOf('m3'));
    transaction.expunge(u(1), mailGuid('m1'));
    transaction.setFlags(u(2), FLAG.seen, [], 9n);
    expect(await contents(reader)).toBe('1=m1 2=m2');
    expect(await reader.status()).toEqual(before);
    await transaction.commit();
    expect(await contents(reader)).toBe('2=m2 3=m3');
  });

  test('takes everything back when it is not committed', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const mailbox = await stage.mailbox();
    const before = await mailbox.status();
    {
      await using transaction = await mailbox.begin();
      await transaction.save(newMail(3, 'm3'), bodyOf('m3'));
      transaction.copy(u(1), placed(4, 'm1'));
      transaction.expunge(u(1), mailGuid('m1'));
      transaction.renumber(u(2), u(5));
      transaction.update({ uidNext: 100 });
    }
    expect(await contents(await stage.mailbox())).toBe('1=m1 2=m2');
    expect(await (await stage.mailbox()).status()).toEqual(before);
  });

  test('is used once', async () => {
    await using stage = await Stage.set(factory);
    const transaction = await (await stage.mailbox()).begin();
    await transaction.commit();
    await expect(transaction.save(newMail(1, 'm1'), bodyOf('m1'))).rejects.toMatchObject({ name: 'StoreError' });
    await expect(transaction.commit()).rejects.toMatchObject({ name: 'StoreError' });
    await transaction[Symbol.asyncDispose]();
  });

  test('makes a mailbox anew, with UIDs below UIDNEXT and without history', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    await stage.user.changeFlags(INBOX, 2, 'add', FLAG.flagged, ['mine']);
    await stage.user.expunge(INBOX, 3);
    const mailbox = await stage.mailbox();
    await mailbox.changes();
    await using transaction = await mailbox.begin();
    transaction.rebuild({ guid: INBOX_GUID, uidValidity: 3333 });
    transaction.keep(u(2), placed(1, 'm2', { flags: FLAG.seen, keywords: ['theirs'], modseq: 4n }));
    await transaction.save(newMail(2, 'new', { modseq: 5n }), bodyOf('new'));
    transaction.update({ uidNext: 3, highestModseq: 6n });
    await transaction.commit();
    const again = await stage.mailbox();
    const { mails, expunges } = await again.changes();
    expect(mails).toMatchObject([
      { uid: 1, guid: 'm2', modseq: 4n, flags: FLAG.seen, keywords: ['theirs'], addedFlags: 0, addedKeywords: [] },
      { uid: 2, guid: 'new', modseq: 5n },
    ]);
    expect(expunges).toEqual([]);
    expect(await again.status()).toMatchObject({
      guid: INBOX_GUID,
      uidValidity: 3333,
      uidNext: 3,
      messages: 2,
      highestModseq: 6n,
    });
    expect(await readBody(again, 1, 'm2')).toEqual(bodyOf('m2'));
  });

  test('gives other UIDs to a mail that came meanwhile, and to its own', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(4, 'n4'), bodyOf('n4'));
    expect(await stage.user.append(INBOX, { guid: mailGuid('race'), body: bodyOf('race') })).toBe(4);
    expect(await transaction.commit()).toMatchObject({ uidsChanged: true, saved: 1 });
    const again = await stage.mailbox();
    expect(await contents(again)).toBe('1=m1 2=m2 3=m3 5=n4 6=race');
    expect(await again.status()).toMatchObject({ uidNext: 7, messages: 5 });
    expect(await readBody(again, 5, 'n4')).toEqual(bodyOf('n4'));
    expect(await readBody(again, 6, 'race')).toEqual(bodyOf('race'));
  });

  test('begins a transaction while another one is being committed', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    const mailbox = await stage.mailbox();
    await using first = await mailbox.begin();
    await first.save(newMail(4, 'n4'), bodyOf('n4'));
    const committing = first.commit();
    await using second = await mailbox.begin();
    await second.save(newMail(5, 'n5'), bodyOf('n5'));
    expect(await committing).toMatchObject({ uidsChanged: false, saved: 1 });
    // The mails of the first one are no strangers to the second, which makes room for others only.
    expect(await stage.user.append(INBOX, { guid: mailGuid('race'), body: bodyOf('race') })).toBe(5);
    expect(await second.commit()).toMatchObject({ uidsChanged: true, saved: 1 });
    expect(await contents(await stage.mailbox())).toBe('1=m1 2=m2 3=m3 4=n4 6=n5 7=race');
  });

  test('keeps what a user changed between begin and commit, and tells that somebody did', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const mailbox = await stage.mailbox();
    await mailbox.changes();
    const before = (await mailbox.status()).highestModseq;
    await using transaction = await mailbox.begin();
    transaction.setFlags(u(1), FLAG.flagged, ['theirs'], 1n);
    transaction.setFlags(u(2), FLAG.flagged, [], 1n);
    await stage.user.changeFlags(INBOX, 1, 'add', FLAG.seen, ['mine']);
    await stage.user.expunge(INBOX, 2);
    const { modseqBefore, flagged } = await transaction.commit();
    expect(modseqBefore).toBeGreaterThan(before);
    expect(flagged).toBe(1);
    const { mails } = await (await stage.mailbox()).changes();
    expect(mails).toMatchObject([
      { uid: 1, flags: FLAG.seen | FLAG.flagged, keywords: ['mine', 'theirs'], addedFlags: FLAG.seen },
    ]);
  });

  test('fails when the mailbox was deleted meanwhile', async () => {
    await using stage = await Stage.set(factory);
    await stage.user.createMailbox(['a'], { guid: box(7), uidValidity: 7 });
    const mailbox = await stage.mailbox(['a']);
    await using transaction = await mailbox.begin();
    await transaction.save(newMail(1, 'm1'), bodyOf('m1'));
    await stage.user.delete(['a']);
    await expect(transaction.commit()).rejects.toMatchObject({ name: 'StoreError', code: 'NotFound' });
    expect(await nodeAt(await stage.store(), ['a'])).toBeUndefined();
  });

  test('keeps metadata entries and remembers deleted ones', async () => {
    await using stage = await Stage.set(factory);
    const mailbox = await stage.mailbox();
    const entry = { scope: 'private', key: 'comment', changedAt: 5, modseq: 3n } as const;
    const set = async (value: string | null): Promise<void> => {
      await using transaction = await mailbox.begin();
      transaction.setAttribute({ ...entry, value });
      await transaction.commit();
    };
    const empty = (await mailbox.status()).digest;
    await set('Straße\n"1"');
    expect(await (await stage.mailbox()).attributes()).toMatchObject([
      { scope: 'private', key: 'comment', value: 'Straße\n"1"', changedAt: 5 },
    ]);
    expect((await (await stage.mailbox()).status()).digest).not.toBe(empty);
    await set(null);
    expect(await (await stage.mailbox()).attributes()).toMatchObject([
      { scope: 'private', key: 'comment', value: null },
    ]);
    expect((await (await stage.mailbox()).status()).digest).toBe(empty);
  });

  test('lets one synchroniser at a time into a mailbox, and one to a user', async () => {
    await using stage = await Stage.set(factory);
    const [one, two] = [await stage.store(), await stage.store()];
    const [first, second] = [await mailboxAt(one, INBOX), await mailboxAt(two, INBOX)];
    const mailboxLock = await first.lock(1000);
    await expect(second.lock(20)).rejects.toMatchObject({ name: 'StoreError', code: 'Locked' });
    await mailboxLock[Symbol.asyncDispose]();
    await (await second.lock(1000))[Symbol.asyncDispose]();
    const userLock = await one.lockUser(1000);
    await expect(two.lockUser(20)).rejects.toMatchObject({ name: 'StoreError', code: 'Locked' });
    await userLock[Symbol.asyncDispose]();
    await (await two.lockUser(1000))[Symbol.asyncDispose]();
  });
}
