/** Backups that go on from a state: a Dovecot then tells only what has changed, of which a whole mailbox must follow. */
import { expect, jest, test } from '@jest/globals';

import { change, changeTree, expectSame, judge, makeUser, runWell } from './accounts.ts';
import { shareEnds, withEachVersion } from './each-version.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';

jest.setTimeout(60_000);

const CASES = [
  { dovecotIs: 'server', verb: ['backup'] },
  { dovecotIs: 'server', verb: ['backup', '-R'] },
  { dovecotIs: 'client', verb: ['backup'] },
  { dovecotIs: 'client', verb: ['backup', '-R'] },
] as const;

function chains(version: Pairing['version']): void {
  let ends: Ends;
  shareEnds(
    () => startEnds(version),
    (started) => (ends = started),
  );

  test.each(CASES)('as $dovecotIs: $verb', async ({ dovecotIs, verb }) => {
    const pairing = { version, dovecotIs, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    const source = verb.some((word) => word === '-R') ? user.other : user.starting;
    await runWell(ends, pairing, user, ['sync']);
    let state = '';
    for (let round = 1; round <= 4; round += 1) {
      state = (await runWell(ends, pairing, user, [...verb, '-s', state])).trimEnd();
      const after = await expectSame(ends, user);
      expect(after).toEqual(await judge(ends, source));
      expect(after.mailboxes['INBOX']?.mails.length).toBeGreaterThan(3);
      await change(ends, source, round);
      if (round === 2) await changeTree(ends, source);
    }
  });
}

withEachVersion(chains);
