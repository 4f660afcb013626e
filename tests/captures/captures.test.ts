/**
 * Recorded sessions between Dovecots, with us in the place of one of both: fed what the other one said, we say what the
 * recorded one said. Host names, order where the protocol leaves it open, and what normal.ts lists are left out.
 */
import { expect, test } from '@jest/globals';

import type { Received } from '@dsync/protocol';

import { CAPTURES } from '../../packages/protocol/test-kit/captures.ts';
import { describeWith } from '../support/needs.ts';
import { normal, type Plain } from './normal.ts';
import { recordedMessages, replay, type Role } from './replay.ts';

/** Captures without a session, which `refusals.test.ts` plays. */
const REFUSED = ['08-auth-failure', '09-unknown-user'];

/**
 * Sessions that go on for us where they ended for the recorded side: all that it had said to there, and what we say then. Its
 * peer said no more, and leaves.
 */
const GOES_ON: Readonly<Record<string, { readonly why: string; readonly next: readonly Plain[] }>> = {
  '13-stateful-remote-only-change master': {
    why: 'the recorded master misses what the slave has changed (10); we ask for it, and the answer was never recorded',
    next: [
      {
        kind: 'mailbox',
        mailboxGuid: 'e9c4fe35c578046bd90d00003db85ab9',
        ...{ uidValidity: 1795455174, uidNext: 3, messages: 2, firstRecentUid: 3 },
        ...{ highestModseq: 3n, highestPrivateModseq: 0n, haveGuids: true, haveSaveGuids: true },
      },
    ],
  },
  '16-backup-revert slave': {
    why: 'the recorded slave cannot delete its INBOX and fails; we ask for the mail that it lacks (3)',
    next: [{ kind: 'mailRequest', guid: '1700000006.M6P1.host.example.test', uid: 6 }],
  },
  '18-slave-failure slave': {
    why: 'the recorded slave’s mbox cannot have a folder below another and fails; we make it and answer for INBOX',
    next: [
      {
        kind: 'mailbox',
        mailboxGuid: 'e3a5d01cce78046b0b1400003db85ab9',
        ...{ uidValidity: 1795455185, uidNext: 1, messages: 0, firstRecentUid: 1 },
        ...{ highestModseq: 1n, highestPrivateModseq: 0n, haveGuids: true, haveSaveGuids: true },
      },
    ],
  },
};

/** With a state we ask for every mailbox, so that what the other side has changed is found (10): which the recorded master did not ask for. */
const ALSO_ASKED: Readonly<Record<string, readonly string[]>> = {
  '04-stateful-noop master': [
    '70c4552fba78046b710400003db85ab9',
    '71c4552fba78046b710400003db85ab9',
    '72c4552fba78046b710400003db85ab9',
    '73c4552fba78046b710400003db85ab9',
  ],
  '05-incremental master': ['29a45123bb78046b560500003db85ab9', '2aa45123bb78046b560500003db85ab9'],
  '13-stateful-remote-only-change master': ['e8c4fe35c578046bd90d00003db85ab9', 'ebc4fe35c578046bd90d00003db85ab9'],
  '14-stateful-desync master': [
    '70fda915c778046bed0e00003db85ab9',
    '71fda915c778046bed0e00003db85ab9',
    '72fda915c778046bed0e00003db85ab9',
  ],
  '35-HEAD-desync-log master': [
    '30398b299479046bea2e0000e97082c2',
    '31398b299479046bea2e0000e97082c2',
    '32398b299479046bea2e0000e97082c2',
  ],
  '36-2.4.4-desync-log master': [
    'b8a3322b9579046b7b2f00008064638a',
    'b9a3322b9579046b7b2f00008064638a',
    'baa3322b9579046b7b2f00008064638a',
  ],
};

interface Otherwise {
  readonly why: string;
  /** null: nothing. */
  readonly instead: (said: Plain) => Plain | null;
}

/** Where we say something else on purpose, and why. */
const SAID_OTHERWISE: Readonly<Record<string, Otherwise>> = {
  '06-oneway slave': {
    why: 'a destination with mails of its own has nothing in common that a later run could start from',
    instead: nothingCommon('e95fa305be78046b6a0700003db85ab9'),
  },
  '19-filters master': {
    why: 'after a filter nothing is remembered as common (2)',
    instead: nothingCommon('83e2fa33cf78046b8f1400003db85ab9'),
  },
  '19-filters slave': {
    why: 'after a filter nothing is remembered as common (2)',
    instead: nothingCommon('83e2fa33cf78046b8f1400003db85ab9'),
  },
  ...Object.fromEntries(
    ['10-header-hash-1 master', '10-header-hash-2 master', '10-header-hash-3 master'].map((key) => [
      key,
      {
        why: 'a store that does not keep the GUIDs of others has some of its own, as a Dovecot’s; the recorded script said it has none',
        instead: (said: Plain) => (said.kind === 'mailbox' ? { ...said, haveGuids: true } : said),
      },
    ]),
  ),
  '15-guid-conflict master': {
    why:
      'two GUIDs of one mailbox are settled before the Dovecot can see them, where it swaps them; a mailbox ' +
      'with new numbers is announced so that they are equal to nobody’s. A mailbox is lost all the same, since the slave swaps. Then ' +
      'the recorded master tells states that nobody can use; we print none',
    instead: (said) => {
      if (said.kind === 'treeNode') return { ...said, ...SETTLED_WITH_SLAVE[String(said['mailboxGuid'])] };
      if (said.kind === 'mailbox' && String(said['mailboxGuid']).startsWith('e')) return { ...said, firstRecentUid: 0 };
      const { changesDuringSync, ...state } = said;
      return changesDuringSync === true ? { ...state, lastUidValidity: 1795455177 } : said;
    },
  },
  '15-guid-conflict slave': {
    why: 'as the master; and the state that the recorded master tells is of no use',
    instead: (said) => {
      if (said.kind === 'treeNode') return { ...said, ...SETTLED_WITH_MASTER[String(said['mailboxGuid'])] };
      return said.kind === 'finish' ? { ...said, requireFullResync: true } : said;
    },
  },
  '17-mdbox-server slave': {
    why: 'a Dovecot that is told of a directory that holds a mailbox renames a mailbox to below it (docs/interop.md)',
    instead: (said) => (said.kind === 'treeNode' && String(said['path']) === 'Work,Deep' ? null : said),
  },
  '10-header-hash-2 slave': {
    why: 'a Dovecot whose cache is warm hashes one more line end; we hash as it did before',
    instead: (said) => ({
      ...said,
      ...(said.kind === 'mailChange' ? { headerHash: HASHES[Number(said['uid']) - 1] } : {}),
    }),
  },
};

const SETTLED_WITH_SLAVE: Readonly<Record<string, object>> = {
  '833c5737c978046b091100003db85ab9': { mailboxGuid: 'e1a0e60fc978046b4310000012fb6677', uidValidity: 1795455178 },
  '813c5737c978046b091100003db85ab9': { mailboxGuid: 'e0a0e60fc978046b4310000012fb6677', uidValidity: 1795455177 },
};
const SETTLED_WITH_MASTER: Readonly<Record<string, object>> = {
  e1a0e60fc978046b4310000012fb6677: { mailboxGuid: '833c5737c978046b091100003db85ab9', uidValidity: 1795455180 },
  e0a0e60fc978046b4310000012fb6677: { mailboxGuid: '813c5737c978046b091100003db85ab9', uidValidity: 1795455178 },
};

const HASHES = [
  'fe120ca6882f6d16caed26c85731e681',
  'c3a51f590e3c4ba804d948ce7a0f39db',
  '6d65f555e92e2a8846b916afabe0528e',
  '601cdf5cdeaa40a09fd237e9d7a5da5f',
  'e92830239b6702c22104e96b9ce5d753',
  '15f03df881fe744d5f0f6995ad77e98a',
];

function nothingCommon(guid: string): (said: Plain) => Plain {
  return (said) =>
    said.kind === 'mailboxState' && said['mailboxGuid'] === guid
      ? { ...said, lastCommonUid: 0, lastCommonModseq: 0n }
      : said;
}

/** Sessions that the recorded peer leaves in the middle. */
const LEFT_BY_PEER = new Set([
  '10-header-hash-1 slave',
  '10-header-hash-2 slave',
  '10-header-hash-3 slave',
  '16-backup-revert master',
  '18-slave-failure master',
]);

/** Sessions in which the recorded side was a script that says its first words and leaves. We would go on as far as the peer does. */
const LEFT_BY_SCRIPT = new Set(['10-header-hash-1 master', '10-header-hash-2 master', '10-header-hash-3 master']);

const cases = CAPTURES.flatMap((name) => (['master', 'slave'] as const).map((role): [string, Role] => [name, role]));
const played = cases.filter(([name]) => !REFUSED.includes(name));

/** The last one: all is said, or whoever speaks leaves. */
const withoutLast = (messages: readonly Plain[]): readonly Plain[] => messages.slice(0, -1);

function expectedOf(name: string, role: Role): readonly Plain[] {
  const key = `${name} ${role}`;
  const recorded = normal(recordedMessages(name, role));
  const instead = SAID_OTHERWISE[key]?.instead;
  const expected = instead === undefined ? recorded : recorded.flatMap((said) => instead(said) ?? []);
  const more = GOES_ON[key]?.next ?? [];
  return more.length > 0 || LEFT_BY_SCRIPT.has(key) ? [...withoutLast(expected), ...more] : expected;
}

function failureOf(key: string): string | null {
  if (LEFT_BY_PEER.has(key)) return 'the other side failed and said no more';
  return LEFT_BY_SCRIPT.has(key) || GOES_ON[key] !== undefined ? 'connection closed by the other side' : null;
}

describeWith(['captures'], 'in the place of a Dovecot, we say what it said', () => {
  test.each(played)('%s, as %s', async (name, role) => {
    const key = `${name} ${role}`;
    const expected = expectedOf(name, role);
    const { ours, unspoken, error } = await replay(name, role, expected.length);
    const said = normal(ours);
    // Whoever is left says so to nobody, after what it was about to say.
    const goesOn = LEFT_BY_SCRIPT.has(key) || GOES_ON[key] !== undefined;
    const left = goesOn || (LEFT_BY_PEER.has(key) && said.at(-1)?.kind === 'done');
    expect(goesOn ? said.slice(0, expected.length) : left ? withoutLast(said) : said).toEqual(expected);
    expect(error instanceof Error ? error.message : error).toBe(failureOf(key));
    expect(mailboxesAsked(unspoken)).toEqual(ALSO_ASKED[key] ?? []);
  });

  test('no capture is left out, and no reason is left over', () => {
    const known = new Set(cases.map(([name, role]) => `${name} ${role}`));
    const reasons = [GOES_ON, ALSO_ASKED, SAID_OTHERWISE].flatMap((table) => Object.keys(table));
    expect([...reasons, ...LEFT_BY_PEER, ...LEFT_BY_SCRIPT].filter((key) => !known.has(key))).toEqual([]);
    expect([cases.length, played.length]).toEqual([62, 58]);
  });
});

/** In order of GUIDs. Of each nothing is told but its numbers and the state, since nothing has changed. */
function mailboxesAsked(unspoken: readonly Received[]): readonly string[] {
  const asked = unspoken.flatMap((message) => (message.kind === 'mailbox' ? [message.mailboxGuid] : []));
  const talk = ['mailbox', 'listEnd', 'listEnd', 'listEnd', 'listEnd', 'mailboxState'];
  expect(unspoken.map(({ kind }) => kind)).toEqual(asked.flatMap(() => talk));
  return asked.toSorted();
}
