import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ALL_FLAGS, FLAG, mailGuid } from '@dsync/protocol';
import type { Mailbox } from '@dsync/storage';

import type { MailUser } from '../mail-user.ts';
import { bodyOf, box, INBOX, newMail, printMails, recomputedDigest, Stage, u, type StoreFactory } from './stage.ts';

/** What a store knows of what was done to its mails. */
export function historySuite(factory: StoreFactory): void {
  test('starts without history: all mails equally old, nothing added, removed or expunged', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    const mailbox = await stage.mailbox();
    const { mails, expunges } = await mailbox.changes();
    const { highestModseq } = await mailbox.status();
    expect(highestModseq).toBeGreaterThanOrEqual(1n);
    for (const mail of mails) {
      expect(mail).toMatchObject({
        modseq: highestModseq,
        addedFlags: 0,
        removedFlags: 0,
        addedKeywords: [],
        removedKeywords: [],
      });
    }
    expect(expunges).toEqual([]);
  });

  test('counts per-mail modseqs only from the first look of a sync', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    await stage.user.changeFlags(INBOX, 1, 'add', FLAG.seen, []);
    const mailbox = await stage.mailbox();
    const [first, second] = (await mailbox.changes()).mails;
    expect(first?.modseq).toBe((await mailbox.status()).highestModseq);
    expect(second?.modseq).toBe(first?.modseq);
    await stage.user.changeFlags(INBOX, 2, 'add', FLAG.seen, []);
    const later = (await (await stage.mailbox()).changes()).mails;
    expect(later[0]?.modseq).toBe(first?.modseq);
    expect(later[1]?.modseq).toBeGreaterThan(first?.modseq ?? 0n);
  });

  test('raises HIGHESTMODSEQ once for each thing that a user does', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    const before = (await (await stage.mailbox()).status()).highestModseq;
    await stage.user.append(INBOX, { body: bodyOf('m3') });
    await stage.user.changeFlags(INBOX, 1, 'add', FLAG.seen, []);
    await stage.user.changeFlags(INBOX, 1, 'remove', FLAG.seen, []);
    await stage.user.expunge(INBOX, 2);
    expect((await (await stage.mailbox()).status()).highestModseq).toBe(before + 4n);
  });

  test("keeps a user's last action on each flag and keyword", async () => {
    await using stage = await Stage.set(factory, ['m1']);
    await stage.user.changeFlags(INBOX, 1, 'add', FLAG.seen | FLAG.flagged, ['one', 'two']);
    await stage.user.changeFlags(INBOX, 1, 'remove', FLAG.seen, ['one']);
    const { mails } = await (await stage.mailbox()).changes();
    expect(mails).toMatchObject([
      {
        flags: FLAG.flagged,
        keywords: ['two'],
        addedFlags: FLAG.flagged,
        removedFlags: FLAG.seen,
        addedKeywords: ['two'],
        removedKeywords: ['one'],
      },
    ]);
  });

  test("counts a sync's own changes as nobody's, and forgets the action that they undo", async () => {
    await using stage = await Stage.set(factory, ['m1']);
    await stage.user.changeFlags(INBOX, 1, 'add', FLAG.seen | FLAG.flagged, ['one']);
    const mailbox = await stage.mailbox();
    await using transaction = await mailbox.begin();
    transaction.setFlags(u(1), FLAG.seen | FLAG.draft, ['two'], 1n);
    await transaction.commit();
    const { mails } = await (await stage.mailbox()).changes();
    expect(mails).toMatchObject([
      { flags: FLAG.seen | FLAG.draft, addedFlags: FLAG.seen, removedFlags: 0, addedKeywords: [], removedKeywords: [] },
    ]);
  });

  test('tells what changed since a common state', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3', 'm4']);
    const mailbox = await stage.mailbox();
    await mailbox.changes();
    const { highestModseq } = await mailbox.status();
    const since = { uid: 4, modseq: highestModseq };
    expect(await mailbox.changes(since)).toEqual({ mails: [], expunges: [] });
    await stage.user.changeFlags(INBOX, 2, 'add', FLAG.seen, []);
    await stage.user.expunge(INBOX, 3);
    await stage.user.append(INBOX, { guid: mailGuid('m5'), body: bodyOf('m5') });
    const changes = await (await stage.mailbox()).changes(since);
    expect(changes?.mails.map(({ uid, guid }) => `${uid}=${guid}`)).toEqual(['2=m2', '5=m5']);
    expect(changes?.expunges).toMatchObject([{ uid: 3, guid: 'm3' }]);
    for (const { modseq } of [...(changes?.mails ?? []), ...(changes?.expunges ?? [])])
      expect(modseq).toBeGreaterThan(highestModseq);
    expect(await mailbox.changes({ uid: 4, modseq: highestModseq + 1000n })).toBeNull();
  });

  test('tells a third store what a sync changed', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    const mailbox = await stage.mailbox();
    await mailbox.changes();
    const { highestModseq: modseq } = await mailbox.status();
    await using transaction = await mailbox.begin();
    transaction.setFlags(u(1), FLAG.seen, [], 1n);
    transaction.expunge(u(2), mailGuid('m2'));
    transaction.renumber(u(3), u(4));
    await transaction.save(newMail(5, 'm5'), bodyOf('m5'));
    await transaction.commit();
    const changes = await (await stage.mailbox()).changes({ uid: 3, modseq });
    expect(printMails(changes?.mails ?? [])).toBe('1=m1 4=m3 5=m5');
    expect(changes?.expunges.map(({ uid, guid }) => [uid, guid])).toEqual([
      [2, 'm2'],
      [3, 'm3'],
    ]);
  });

  test('does not pretend to know what it forgot', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
    const mailbox = await stage.mailbox();
    await mailbox.changes();
    for (const flag of [FLAG.seen, FLAG.draft, FLAG.flagged]) await stage.user.changeFlags(INBOX, 1, 'add', flag, []);
    await stage.user.expunge(INBOX, 2);
    const { highestModseq: modseq } = await (await stage.mailbox()).status();
    await stage.user.loseHistory(INBOX);
    const after = await stage.mailbox();
    expect(await after.changes({ uid: 3, modseq })).toBeNull();
    const { mails, expunges } = await after.changes();
    expect(mails.map(({ uid, addedFlags }) => [uid, addedFlags])).toEqual([
      [1, 0],
      [3, 0],
    ]);
    expect(expunges).toEqual([]);
    expect(await after.status()).toMatchObject({ uidValidity: 1001, uidNext: 4, messages: 2 });
  });

  test('begins anew with another UIDVALIDITY', async () => {
    await using stage = await Stage.set(factory, ['m1', 'm2']);
    await (await stage.mailbox()).changes();
    await stage.user.expunge(INBOX, 1);
    const { highestModseq: modseq } = await (await stage.mailbox()).status();
    await stage.user.update(INBOX, { uidValidity: 9999 });
    const after = await stage.mailbox();
    expect(await after.status()).toMatchObject({ uidValidity: 9999, messages: 1 });
    expect((await after.changes()).expunges).toEqual([]);
    expect(await after.changes({ uid: 2, modseq })).toBeNull();
  });

  test('has the same digest for the same contents, however they came about', async () => {
    await using one = await Stage.set(factory, ['m1', 'm2']);
    await using two = await Stage.set(factory, ['m1']);
    await two.user.append(INBOX, { guid: mailGuid('m2'), keywords: ['Work'], body: bodyOf('m2') });
    const digest = async (stage: Stage): Promise<string> => (await (await stage.mailbox()).status()).digest;
    expect(await digest(one)).not.toBe(await digest(two));
    await one.user.changeFlags(INBOX, 2, 'add', 0, ['work']);
    expect(await digest(one)).toBe(await digest(two));
  });

  test('keeps a digest that equals one computed from scratch, whatever is done', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using stage = await Stage.set(factory, ['m1', 'm2', 'm3']);
        for (const { by, n, flags } of steps) {
          const mailbox = await stage.mailbox();
          if (by === 'sync') await syncStep(mailbox, n, flags);
          else await userStep(stage.user, mailbox, n, flags);
          const after = await stage.mailbox();
          const [status, { mails }] = [await after.status(), await after.changes()];
          expect(status.digest).toBe(await recomputedDigest(after));
          expect(status.messages).toBe(mails.length);
          expect(mails.map(({ uid }) => uid)).toEqual(mails.map(({ uid }) => uid).toSorted((a, b) => a - b));
          for (const mail of mails) expect(mail.addedFlags & mail.removedFlags).toBe(0);
        }
      }),
      { numRuns: 12 },
    );
  });
}

const step = fc.record({
  by: fc.constantFrom('user', 'sync'),
  n: fc.nat(9),
  flags: fc.nat(ALL_FLAGS),
});

async function userStep(user: MailUser, mailbox: Mailbox, n: number, flags: number): Promise<void> {
  const { mails } = await mailbox.changes();
  const mail = mails[n % (mails.length + 1)];
  if (mail === undefined) await user.append(INBOX, { flags, keywords: n > 4 ? ['kw'] : [], body: bodyOf(`u${n}`) });
  else if (n === 9) await user.setAttribute(INBOX, '/private/comment', flags > 9 ? null : `${flags}`);
  else if (flags === 0) await user.expunge(INBOX, mail.uid);
  else
    await user.changeFlags(
      INBOX,
      mail.uid,
      flags % 3 === 0 ? 'remove' : 'replace',
      flags,
      flags > 15 ? ['kw', 'Other'] : [],
    );
}

async function syncStep(mailbox: Mailbox, n: number, flags: number): Promise<void> {
  const { mails } = await mailbox.changes();
  const { uidNext, guid } = await mailbox.status();
  await using transaction = await mailbox.begin();
  const [first, second, third] = mails;
  if (n === 0) transaction.rebuild({ guid: guid === box(50) ? box(51) : box(50), uidValidity: 7 });
  if (n === 0 && first !== undefined)
    transaction.keep(first.uid, { uid: u(1), guid: first.guid, flags, keywords: [], modseq: 3n });
  await transaction.save(newMail(uidNext + 1, `s${uidNext}`, { flags, keywords: ['kw'] }), bodyOf('s'));
  if (n > 0) {
    if (first !== undefined) transaction.setFlags(first.uid, flags, ['kw'], 2n);
    if (first !== undefined && n % 2 === 1) transaction.renumber(first.uid, u(uidNext + 2));
    if (second !== undefined && n % 3 === 1) transaction.expunge(second.uid, second.guid);
    if (third !== undefined && n % 4 === 1)
      transaction.copy(third.uid, { uid: u(uidNext + 3), guid: third.guid, flags, keywords: [], modseq: 2n });
    transaction.setAttribute({ scope: 'shared', key: 'k', value: n > 5 ? null : `${n}`, changedAt: 0, modseq: 1n });
  }
  await transaction.commit();
}
