/** Two accounts of one Dovecot as the two ends of our run: `u`, and `far-u` as the user `u` of our server. */
import { expect } from '@jest/globals';

import { NOTHING } from '../../support/printed-result.ts';
import { type Dovecot, troubles } from './dovecot.ts';
import { type JudgedAccount, judgeAccount } from './judge.ts';
import { dsync, startOurServer } from './ours.ts';

/** The account that our client has. */
export const NEAR = 'u';

/** The account that our server has. */
export const FAR = 'far-u';

/** `%u` in the place of the user's name, as our programs expand it. */
const locate = (dovecot: Dovecot, user: string): string => `maildir:${dovecot.home(user).replace(/u$/, '%u')}/Maildir`;

/** Runs `dsync VERB` from the near account to a server for the far one; it must end with 0 and say nothing. */
export const synchronise = async (dovecot: Dovecot, verb: readonly string[]): Promise<unknown> => {
  await using server = await startOurServer(dovecot.mailUid, locate(dovecot, FAR));
  const args = [...verb, '-u', NEAR, '--json', `tcp:127.0.0.1:${server.port}`];
  const outcome = await dsync(dovecot.mailUid, locate(dovecot, NEAR), args);
  expect({ code: outcome.code, stderr: outcome.stderr, server: server.log() }).toEqual({
    code: 0,
    stderr: '',
    server: expect.not.stringMatching(/warn|error/i),
  });
  return JSON.parse(outcome.stdout.toString('utf8'));
};

/** Another run changes nothing at either end. */
export const expectNothingToDo = async (dovecot: Dovecot): Promise<void> => {
  const report = await synchronise(dovecot, ['sync']);
  expect(report).toMatchObject({ result: 'ok', totals: { local: NOTHING, remote: NOTHING } });
};

/** Both ends must be the same account, and Dovecot must have read them without complaint. */
export const expectSame = async (dovecot: Dovecot): Promise<JudgedAccount> => {
  const near = await judgeAccount(dovecot, NEAR);
  const far = await judgeAccount(dovecot, FAR);
  expect(far).toEqual(near);
  expect(troubles(await dovecot.log())).toEqual([]);
  return near;
};
