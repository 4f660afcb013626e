/** Recorded sessions that a Dovecot refused before they began, with us in the place of one side. */
import { expect, test } from '@jest/globals';

import { MadeUpServer } from '../../packages/client/test/made-up-server.ts';
import { recordedBytes } from '../../packages/protocol/test-kit/captures.ts';
import { RawClient, startDaemon } from '../../packages/server/test/rig.ts';
import { describeWith } from '../support/needs.ts';

/** The recorded Dovecots told minor 2, we tell 4. */
const asOurs = (bytes: Buffer): string => bytes.toString('latin1').replace(/^(VERSION\t[a-z-]+\t1\t)2\n/, '$14\n');

interface Told {
  readonly sent: string;
  readonly logs: readonly string[];
  readonly failure: unknown;
}

/** Our client with a server that says what the recorded one said. */
async function asClient(name: string, user: string, password: string): Promise<Told> {
  const server = new MadeUpServer(recordedBytes(name, 'server-to-client'));
  const failure = await server.open({ user, password }).then(
    () => null,
    (reason: unknown) => reason,
  );
  return { sent: server.sent, logs: server.logs, failure };
}

/** What our server says to a client that says what the recorded one said. */
async function asServer(name: string): Promise<string> {
  await using rig = await startDaemon('tcp:127.0.0.1:0', ['doveadm_password=wiresecret']);
  using client = RawClient.to(rig.port);
  return await client.say(recordedBytes(name, 'client-to-server')).untilClosed();
}

describeWith(['captures'], 'in the place of a Dovecot, we say what it said', () => {
  test('a wrong password, as client', async () => {
    const { sent, logs, failure } = await asClient('08-auth-failure', 'auth', 'wrongsecret');
    expect(sent).toBe(asOurs(recordedBytes('08-auth-failure', 'client-to-server')));
    expect(logs).toEqual([]);
    expect(failure).toMatchObject({ exit: 75 });
  });

  test('a wrong password, as server', async () => {
    expect(await asServer('08-auth-failure')).toBe(asOurs(recordedBytes('08-auth-failure', 'server-to-client')));
  });

  test('an unknown user, as client', async () => {
    const { sent, logs, failure } = await asClient('09-unknown-user', 'x2', 'wiresecret');
    expect(sent).toBe(asOurs(recordedBytes('09-unknown-user', 'client-to-server')));
    expect(logs).toEqual(["error: doveadm(127.0.0.1,x2): User doesn't exist"]);
    expect(failure).toMatchObject({ exit: 67, message: "User doesn't exist: x2" });
  });

  test('an unknown user, as server: in our own name', async () => {
    const recorded = asOurs(recordedBytes('09-unknown-user', 'server-to-client'));
    const theirs = "L\0\0\0+\u0004doveadm(127.0.0.1,x2): User doesn't exist\n";
    const ours = "L\0\0\0*\u0004dsync-server(x2): User doesn't exist: x2\n";
    expect(recorded).toContain(theirs);
    expect(await asServer('09-unknown-user')).toBe(recorded.replace(theirs, ours));
  });
});
