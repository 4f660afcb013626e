/** What is told of flags and keywords that came and went between two looks, from the log of a Dovecot that has the same Maildir. */
import fs from 'node:fs';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { describeWith } from '../../../../tests/support/needs.ts';
import { openMaildirStore, type MailRecord, type MailStore } from '../../src/index.ts';
import { readOthers } from '../../src/maildir/dovecot-history.ts';
import { Doveadm, makeHome } from './dovecot.ts';

describeWith(['dovecot23', 'root'], 'a mailbox that a Dovecot 2.3 has too', () => {
  const home = makeHome();
  const dovecot = new Doveadm(home, 'maildir:~/Maildir');
  let store: MailStore;
  beforeAll(async () => {
    for (let mail = 1; mail <= 9; mail++) dovecot.save('INBOX', `Subject: ${mail}\n\n${mail}\n`);
    dovecot.run('flags', 'add', 'Old \\Answered', 'mailbox', 'INBOX', 'all');
    store = await openMaildirStore({ root: join(home, 'Maildir'), journal: 'auto', fsync: 'off' });
    await look(1);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const look = async (uid: number): Promise<MailRecord | undefined> => {
    const guid = (await store.readTree()).nodes.find(({ path }) => path[0] === 'INBOX')?.mailbox?.guid;
    await using mailbox = guid === undefined ? null : await store.openMailbox(guid);
    return (await mailbox?.changes())?.mails.find((mail) => mail.uid === uid);
  };

  const doveadm = (how: string, flags: string, uid: number): string =>
    dovecot.run('flags', how, flags, 'mailbox', 'INBOX', 'uid', String(uid));

  /** A mail reader that works on the files. */
  const rename = (uid: number, flags: string): void => {
    const maildir = join(home, 'Maildir');
    const file = ['cur', 'new']
      .flatMap((part) => fs.readdirSync(join(maildir, part)).map((name) => join(maildir, part, name)))
      .find((one) => fs.readFileSync(one, 'utf8').startsWith(`Subject: ${uid}\n`));
    if (file === undefined) throw new Error(`no mail ${uid}`);
    fs.renameSync(file, join(maildir, 'cur', `${basename(file).replace(/:2,.*/, '')}:2,${flags}`));
    dovecot.fetch('INBOX');
  };

  const NOTHING = { addedFlags: 0, removedFlags: 0, addedKeywords: [], removedKeywords: [] };
  const OLD = { keywords: ['Old'], flags: 1 };

  test.each<readonly [string, number, (uid: number) => void, object]>([
    [
      'came and went',
      1,
      (uid) => {
        doveadm('add', 'Short \\Flagged', uid);
        doveadm('remove', 'Short \\Flagged', uid);
      },
      { ...OLD, ...NOTHING, removedFlags: 2, removedKeywords: ['Short'] },
    ],
    [
      'came, went, and came again',
      2,
      (uid) => {
        doveadm('add', 'Again', uid);
        doveadm('remove', 'Again', uid);
        doveadm('add', 'Again', uid);
      },
      { ...OLD, ...NOTHING, keywords: ['Again', 'Old'], addedKeywords: ['Again'] },
    ],
    [
      'came, and was replaced with what was there before',
      3,
      (uid) => {
        doveadm('add', 'First \\Draft', uid);
        doveadm('replace', 'Old \\Answered', uid);
      },
      { ...OLD, ...NOTHING, removedFlags: 16, removedKeywords: ['First'] },
    ],
    [
      'went, which was there at the look before',
      4,
      (uid) => doveadm('remove', 'Old', uid),
      { ...OLD, ...NOTHING, keywords: [], removedKeywords: ['Old'] },
    ],
    [
      'taken away though it never was there',
      5,
      (uid) => {
        doveadm('add', 'Other', uid);
        doveadm('remove', 'Never \\Deleted', uid);
      },
      { ...OLD, ...NOTHING, keywords: ['Old', 'Other'], addedKeywords: ['Other'] },
    ],
    [
      'came, and went with the file’s name, as also a synchroniser does it',
      6,
      (uid) => {
        doveadm('add', '\\Flagged', uid);
        rename(uid, 'Ra');
      },
      { ...OLD, ...NOTHING },
    ],
  ])('%s', async (_name, uid, act, told) => {
    const before = await look(uid);
    act(uid);
    const mail = await look(uid);
    expect(mail).toMatchObject(told);
    const acted = Object.values(told).some((value) => value !== 0 && value !== 1);
    const least = acted && uid !== 6 ? (before?.modseq ?? 0n) + 1n : 0n;
    expect(mail?.modseq).toBeGreaterThanOrEqual(least);
    // Once.
    expect(await look(uid)).toEqual(mail);
  });

  test('of a mail that came meanwhile, too', async () => {
    dovecot.save('INBOX', 'Subject: new\n\nnew\n');
    doveadm('add', 'Brief', 10);
    doveadm('remove', 'Brief', 10);
    expect(await look(10)).toMatchObject({ ...NOTHING, flags: 0, keywords: [], removedKeywords: ['Brief'] });
  });

  test('brought and taken by another Dovecot’s run, it is no user’s doing', async () => {
    dovecot.run('sync', `maildir:${home}/Other`);
    doveadm('add', 'Gone', 7);
    dovecot.run('sync', `maildir:${home}/Other`);
    await look(7);
    const other = new Doveadm(makeHome(), `maildir:${home}/Other`);
    other.run('flags', 'add', 'Visitor', 'mailbox', 'INBOX', 'uid', '7');
    dovecot.run('sync', `maildir:${home}/Other`);
    other.run('flags', 'remove', 'Visitor', 'mailbox', 'INBOX', 'uid', '7');
    dovecot.run('sync', `maildir:${home}/Other`);
    expect(await look(7)).toMatchObject({ keywords: ['Gone', 'Old'], removedKeywords: [] });
  });
});

/** A record as Dovecot writes it. */
const record = (type: number, data: Buffer): Buffer => {
  const padded = Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
  const units = (padded.length + 8) / 4;
  const head = Buffer.from([0x80, 0x80, 0x80 | (units >> 7), 0x80 | (units & 0x7f), 0, 0, 0, 0]);
  head.writeUInt32LE(type, 4);
  return Buffer.concat([head, padded]);
};
const words = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, i * 4);
  return bytes;
};
const keyword = (how: 'add' | 'remove', uid: number, bits = 0): Buffer =>
  record(
    0x400 + bits,
    Buffer.concat([Buffer.from([how === 'add' ? 0 : 1, 0, 4, 0]), Buffer.from('Some'), words(uid, uid)]),
  );
const SYNC = 0x20000000;
const EXTERNAL = 0x10000000;

const logFile = (seq: number, id: number, modseq: number, ...records: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(40);
  header[0] = 1;
  header[1] = 3;
  header.writeUInt16LE(40, 2);
  header.writeUInt32LE(id, 4);
  header.writeUInt32LE(seq, 8);
  header.writeBigUInt64LE(BigInt(modseq), 24);
  header[32] = 1;
  return Buffer.concat([header, ...records]);
};

describe('the log', () => {
  const MAILS = [{ uid: 1 }, { uid: 2 }, { uid: 3 }];
  const told = (readTo: string | undefined, log: Buffer, former?: Buffer): ReturnType<typeof readOthers> => {
    const folder = makeHome();
    fs.writeFileSync(join(folder, 'dovecot.index.log'), log);
    if (former !== undefined) fs.writeFileSync(join(folder, 'dovecot.index.log.2'), former);
    return readOthers(folder, MAILS, readTo);
  };
  const some = (uid: number, modseq: bigint): ReturnType<typeof readOthers>['undone'] =>
    new Map([[uid, { flags: 0, keywords: ['Some'], modseq }]]);
  const NOTHING = new Map();
  const add = keyword('add', 2);
  const remove = keyword('remove', 2);

  test.each<readonly [string, string | undefined, Buffer, Buffer | undefined, string, ReadonlyMap<number, object>]>([
    ['of which nothing is known', undefined, logFile(1, 7, 10, add, remove), undefined, '7:1:88', NOTHING],
    ['that was not there before', '', logFile(1, 7, 10, add, remove), undefined, '7:1:88', some(2, 12n)],
    ['read to its beginning', '7:1:40', logFile(1, 7, 10, add, remove), undefined, '7:1:88', some(2, 12n)],
    ['read to the middle', '7:1:64', logFile(1, 7, 10, add, remove), undefined, '7:1:88', NOTHING],
    ['of another index', '8:1:40', logFile(1, 7, 10, add, remove), undefined, '7:1:88', NOTHING],
    ['that follows the one read', '7:1:40', logFile(2, 7, 11, remove), logFile(1, 7, 10, add), '7:2:64', some(2, 12n)],
    ['that follows one that is gone', '7:1:40', logFile(2, 7, 10, add, remove), undefined, '7:2:88', NOTHING],
    ['two rotations later', '7:1:40', logFile(3, 7, 10, add, remove), logFile(2, 7, 9), '7:3:88', NOTHING],
    ['by a synchroniser', '7:1:40', logFile(1, 7, 10, add, keyword('remove', 2, SYNC)), undefined, '7:1:88', NOTHING],
    ['by others', '7:1:40', logFile(1, 7, 10, add, keyword('remove', 2, EXTERNAL)), undefined, '7:1:88', NOTHING],
    [
      'brought by a synchroniser',
      '7:1:40',
      logFile(1, 7, 10, keyword('add', 2, SYNC), remove),
      undefined,
      '7:1:88',
      some(2, 12n),
    ],
    [
      'all keywords taken away',
      '7:1:40',
      logFile(1, 7, 10, add, record(0x800, words(1, 9))),
      undefined,
      '7:1:80',
      some(2, 12n),
    ],
    [
      'of a mail that is expunged',
      '7:1:40',
      logFile(1, 7, 10, add, remove, record(0x1000cd91, words(2, 2))),
      undefined,
      '7:1:104',
      NOTHING,
    ],
    [
      'of a mail that is not there',
      '7:1:40',
      logFile(1, 7, 10, keyword('add', 4), keyword('remove', 4)),
      undefined,
      '7:1:88',
      NOTHING,
    ],
    [
      'with a modseq told',
      '7:1:40',
      logFile(1, 7, 10, record(0x8000, words(0, 40, 0)), add, remove),
      undefined,
      '7:1:108',
      some(2, 42n),
    ],
    [
      'of UIDs that stand for other mails now',
      '7:1:40',
      logFile(1, 7, 10, add, remove, record(0x20, Buffer.from('1800040001000000', 'hex'))),
      undefined,
      '7:1:104',
      NOTHING,
    ],
    ['half written', '7:1:40', logFile(1, 7, 10, add, remove.subarray(0, 20)), undefined, '7:1:64', NOTHING],
    [
      'a transaction half written',
      '7:1:40',
      logFile(1, 7, 10, add, record(0x80000, words(60)), remove),
      undefined,
      '7:1:64',
      NOTHING,
    ],
    ['of another version', '7:1:40', Buffer.alloc(88, 2), undefined, '', NOTHING],
    ['marked as damaged', '7:1:40', logFile(1, 0, 10, add, remove), undefined, '', NOTHING],
    ['of a few bytes', '7:1:40', Buffer.from([1, 3]), undefined, '', NOTHING],
  ])('%s', (_name, readTo, log, former, position, undone) => {
    expect(told(readTo, log, former)).toEqual({ readTo: position, undone });
  });
});
