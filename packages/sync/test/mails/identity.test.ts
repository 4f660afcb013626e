import { describe, expect, test } from '@jest/globals';

import { mailGuid, uid } from '@dsync/protocol';
import type { MailRecord } from '@dsync/storage';

import { identify, identityOf, type IdentifyContext } from '../../src/mails/identity.ts';
import type { MailOperation, MailSide } from '../../src/mails/mail-plan.ts';
import { unchangedPlan } from '../../src/mails/plan-builder.ts';

const KEEPS = { haveGuids: true, haveSaveGuids: true } as const;
const TELLS = { haveGuids: true } as const;
const SHORT = { ...KEEPS, haveOnlyGuid128: true } as const;

describe('what mails are recognised by follows from what both stores can do', () => {
  test.each([
    ['peer', KEEPS, KEEPS, 'guid'],
    ['peer', KEEPS, TELLS, 'header'],
    ['peer', TELLS, KEEPS, 'header'],
    ['peer', KEEPS, {}, 'header'],
    ['peer', KEEPS, SHORT, 'guid128'],
    ['destination', KEEPS, TELLS, 'guid'],
    ['destination', KEEPS, {}, 'header'],
    ['destination', TELLS, KEEPS, 'header'],
    ['source', TELLS, KEEPS, 'guid'],
    ['source', KEEPS, TELLS, 'header'],
    ['source', {}, KEEPS, 'header'],
  ] as const)('we are %s', (localIs, local, remote, identity) => {
    expect(identityOf(localIs, local, remote)).toBe(identity);
  });
});

const record = (n: number, guid: string): MailRecord => ({
  uid: uid(n),
  guid: mailGuid(guid),
  modseq: 1n,
  flags: 0,
  keywords: [],
  addedFlags: 0,
  removedFlags: 0,
  addedKeywords: [],
  removedKeywords: [],
});

const side = (...mails: readonly MailRecord[]): MailSide => ({
  uidValidity: 1,
  uidNext: 9,
  messages: mails.length,
  highestModseq: 1n,
  firstRecentUid: 1,
  mails,
  expunges: [{ uid: uid(8), guid: 'expunged', modseq: 1n }],
});

const USUAL = 'c3a51f590e3c4ba804d948ce7a0f39db';
const LONGER = 'fa6124a4f6695af7ad94afd090069600';
const NO_HEADERS = '68b329da9893e34099c7d8ad5cb9c940';

const context: IdentifyContext = {
  identity: 'header',
  hashes: new Map([
    [uid(1), { usual: USUAL, others: [LONGER] }],
    [uid(2), { usual: NO_HEADERS, others: [] }],
  ]),
  headerlessAreOne: false,
  newGuid: () => mailGuid('fresh'),
};

const local = side(record(1, 'mine-1'), record(2, 'mine-2'));
const remote = side(record(1, 'theirs-1'), record(2, 'theirs-2'));
const guids = ({ mails }: MailSide): readonly string[] => mails.map(({ guid }) => guid);

describe('mails that are recognised by their headers', () => {
  test.each([USUAL, LONGER])('are the same with the hash in either form (%s)', (headerHash) => {
    const announced = [
      { uid: uid(1), guid: 'theirs-1', headerHash },
      { uid: uid(2), guid: '', headerHash: '' },
    ];
    const identified = identify(local, remote, announced, context);
    expect(guids(identified.remote)).toEqual(guids(identified.local));
    expect(guids(identified.local)[0]).toBe(USUAL);
  });

  test('a record of an expunge names none of them', () => {
    const identified = identify(local, remote, [], context);
    expect(identified.local.expunges).toEqual([{ uid: uid(8), guid: null, modseq: 1n }]);
  });

  test('without any of the headers are told apart by UID, unless a Dovecot takes them for one', () => {
    const announced = [
      { uid: uid(1), guid: '', headerHash: NO_HEADERS },
      { uid: uid(2), guid: '', headerHash: NO_HEADERS },
    ];
    expect(guids(identify(local, remote, announced, context).remote)).toEqual([`${NO_HEADERS}-1`, `${NO_HEADERS}-2`]);
    const withDovecot = identify(local, remote, announced, { ...context, headerlessAreOne: true });
    expect(guids(withDovecot.remote)).toEqual([NO_HEADERS, NO_HEADERS]);
  });

  test('get their GUIDs back in the plan: own ones, the peer’s where it tells one, else a fresh one', () => {
    const announced = [
      { uid: uid(1), guid: 'theirs-1', headerHash: 'a'.repeat(32) },
      { uid: uid(2), guid: '', headerHash: 'b'.repeat(32) },
    ];
    const save = (n: number): MailOperation => ({
      op: 'save',
      uid: uid(n + 4),
      guid: mailGuid('x'),
      flags: 0,
      keywords: [],
      modseq: 1n,
      remoteUid: uid(n),
      rule: 'new-mail',
    });
    const expunge = { op: 'expunge', uid: uid(1), guid: mailGuid(USUAL), rule: 'expunged-there' } as const;
    const identified = identify(local, remote, announced, context);
    const plan = identified.restore({ ...unchangedPlan(local), operations: [expunge, save(1), save(2)] }, 'local');
    expect(plan.operations.map((operation) => ('guid' in operation ? operation.guid : null))).toEqual([
      ...['mine-1', 'theirs-1', 'fresh'],
    ]);
    const other = identified.restore({ ...unchangedPlan(remote), operations: [expunge, save(2)] }, 'remote');
    expect(other.operations.map((operation) => ('guid' in operation ? operation.guid : null))).toEqual([
      ...['theirs-1', 'mine-2'],
    ]);
  });
});

test('where one side knows only the 128-bit form, both sides have it', () => {
  const text = '1700000002.M2P1.host.example.test';
  const short = 'e6803d7d99113a62d0278e9f9cc06adb';
  const identified = identify(side(record(1, text)), side(record(1, short)), [], {
    ...context,
    identity: 'guid128',
  });
  expect([guids(identified.local), guids(identified.remote)]).toEqual([[short], [short]]);
  const renumber = { op: 'renumber', from: uid(1), to: uid(9), guid: mailGuid(short), rule: 'uid-conflict' } as const;
  const operations = [renumber];
  expect(identified.restore({ ...unchangedPlan(local), operations }, 'local').operations).toEqual([
    { ...renumber, guid: text },
  ]);
  const lacking = identify(side(), side(record(1, text)), [], { ...context, identity: 'guid128' });
  const save: MailOperation = {
    op: 'save',
    uid: uid(1),
    guid: mailGuid(short),
    flags: 0,
    keywords: [],
    modseq: 1n,
    remoteUid: uid(1),
    rule: 'new-mail',
  };
  const plan = lacking.restore({ ...unchangedPlan(local), operations: [save] }, 'local');
  expect(plan.operations).toEqual([{ ...save, guid: text }]);
});
