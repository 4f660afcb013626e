/**
 * Recorded sessions between Dovecots, with us in the place of one of both: fed what the other one said, we say what the
 * recorded one said. Host names, order where the protocol leaves it open, and what normal.ts lists are left out.
 */
import { describe, expect, test } from '@jest/globals';

import { CAPTURES } from '../../packages/protocol/test-kit/captures.ts';
import { normal, type Plain } from './normal.ts';
import { recordedMessages, replay, type Role } from './replay.ts';

/** Captures that cannot be played in a role, and why. */
const NOT_PLAYED: Readonly<Record<string, string>> = {
  '08-auth-failure master': 'no session: the password was refused',
  '08-auth-failure slave': 'no session: the password was refused',
  '09-unknown-user master': 'no session: the user was refused',
  '09-unknown-user slave': 'no session: the user was refused',
  '04-stateful-noop master': 'with a state we ask for every mailbox, the recorded slave answers for changed ones (10)',
  '05-incremental master': 'with a state we ask for every mailbox, the recorded slave answers for changed ones (10)',
  '13-stateful-remote-only-change master': 'as 04: here the recorded master misses what the slave has changed (10)',
  '14-stateful-desync master': 'as 04',
  '35-HEAD-desync-log master': 'as 04',
  '36-2.4.4-desync-log master': 'as 04',
  '10-header-hash-1 master': 'the recorded master is a script that keeps no GUIDs and goes away',
  '10-header-hash-2 master': 'the recorded master is a script that keeps no GUIDs and goes away',
  '10-header-hash-3 master': 'the recorded master is a script that keeps no GUIDs and goes away',
  '15-guid-conflict master':
    'two GUIDs of one mailbox are settled before the Dovecot can see them; recorded is the swap',
  '15-guid-conflict slave':
    'two GUIDs of one mailbox are settled before the Dovecot can see them; recorded is the swap',
  '16-backup-revert slave': 'the recorded slave cannot delete its INBOX and fails; we go on, and nobody answers (3)',
  '18-slave-failure slave': 'the recorded slave’s mbox fails; we go on, and nobody answers',
};

/** Where we say something else on purpose, and why. */
const SAID_OTHERWISE: Readonly<Record<string, { readonly why: string; readonly instead: (said: Plain) => Plain }>> = {
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
  '10-header-hash-2 slave': {
    why: 'a Dovecot whose cache is warm hashes one more line end; we hash as it did before',
    instead: (said) => ({
      ...said,
      ...(said.kind === 'mailChange' ? { headerHash: HASHES[Number(said['uid']) - 1] } : {}),
    }),
  },
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
const LEFT = new Set([
  '10-header-hash-1',
  '10-header-hash-2',
  '10-header-hash-3',
  '16-backup-revert',
  '18-slave-failure',
]);

const cases = CAPTURES.flatMap((name) => (['master', 'slave'] as const).map((role): [string, Role] => [name, role]));
const played = cases.filter(([name, role]) => NOT_PLAYED[`${name} ${role}`] === undefined);

if (cases.length === 0) {
  test.skip('recorded sessions of Dovecot (found through DSYNC_SHARED)', () => undefined);
} else {
  describe('in the place of a Dovecot, we say what it said', () => {
    test.each(played)('%s, as %s', async (name, role) => {
      const otherwise = SAID_OTHERWISE[`${name} ${role}`];
      const recorded = normal(recordedMessages(name, role));
      const expected = otherwise === undefined ? recorded : recorded.map(otherwise.instead);
      const { ours, error } = await replay(name, role);
      const said = normal(ours);
      // Whoever is left says so to nobody.
      const left = LEFT.has(name) && said.at(-1)?.kind === 'done';
      expect(left ? said.slice(0, -1) : said).toEqual(expected);
      expect(error instanceof Error ? error.message : error).toBe(
        LEFT.has(name) ? 'the other side failed and said no more' : null,
      );
    });

    test('no capture is left out without a reason', () => {
      const known = new Set(cases.map(([name, role]) => `${name} ${role}`));
      expect([...Object.keys(NOT_PLAYED), ...Object.keys(SAID_OTHERWISE)].filter((key) => !known.has(key))).toEqual([]);
      expect(played).toHaveLength(45);
    });
  });
}
