/** What comes before a session with a real Dovecot: who may come in, how it is encrypted, whose log lines are shown where. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, jest, test } from '@jest/globals';

import { makeCertificates, writeCertificates } from '../../../certs/make-certificates.ts';
import { expectQuietLogs, makeUser, runWell } from './accounts.ts';
import { type Ends, type Pairing, startEnds } from './ends.ts';
import { merge } from './stories.ts';
import { letLogsBe, shareEnds, withEachVersion } from './each-version.ts';

jest.setTimeout(60_000);

withEachVersion(openings);

/** An outcome's status and the last line that it says. */
const lastWord = ({
  code,
  stderr,
}: {
  readonly code: number | null;
  readonly stderr: string;
}): [number | null, string] => [code, stderr.trimEnd().split('\n').at(-1) ?? ''];

function openings(version: Pairing['version']): void {
  const serves = { version, dovecotIs: 'server' } as const;
  const starts = { version, dovecotIs: 'client' } as const;
  let ends: Ends;
  /** As the programs of this Dovecot see it. */
  let stranger: string;
  shareEnds(
    () => startEnds(version),
    async (started) => {
      ends = started;
      await ends.addUser('a');
      stranger = join(ends.dovecot.certificates, '../stranger');
      writeCertificates(stranger, makeCertificates());
    },
    letLogsBe,
  );
  const inside = (path: string): string => path.replace(/^.*\/trixie(?=\/tmp\/)/, '');

  test('over its UNIX socket, without a password', async () => {
    await merge()(ends, { ...serves, carrier: 'unix' });
    await expectQuietLogs(ends);
    const outcome = await ends.sync({ ...serves, carrier: 'unix' }, 'a', ['sync'], ['doveadm_password=wrong']);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
  });

  test.each([
    [
      'a wrong password',
      'tcp',
      ['doveadm_password=wrong'],
      'login failed: the server does not accept doveadm_password',
    ],
    ['no password', 'tcp', ['doveadm_password='], 'the server wants a password: set doveadm_password'],
    ['a wrong password, encrypted', 'tcps', ['doveadm_password=wrong'], 'login failed: the server does not'],
    ['a wrong password after STARTTLS', 'starttls', ['doveadm_password=wrong'], 'login failed: the server does not'],
  ] as const)('Dovecot refuses %s', async (_name, carrier, settings, message) => {
    const [code, text] = lastWord(await ends.sync({ ...serves, carrier }, 'a', ['sync'], settings));
    expect([code, text]).toEqual([75, expect.stringContaining(`dsync(a): Error: ${message}`)]);
  });

  test.each(['tcps', 'starttls'] as const)(
    'our client does not go on with a Dovecot that it cannot prove (%s)',
    async (carrier) => {
      const outcome = await ends.sync({ ...serves, carrier }, 'a', ['sync'], [`ssl_client_ca_file=${stranger}/ca.crt`]);
      expect(lastWord(outcome)).toEqual([75, expect.stringMatching(/connect\(.*\) failed: .*(signature|certificate)/)]);
    },
  );

  test('a user whom Dovecot does not know is 67, with its own words', async () => {
    await ends.addUser('bad user');
    const outcome = await ends.sync({ ...serves, carrier: 'tcp' }, 'bad user', ['sync']);
    expect(outcome).toMatchObject({
      code: 67,
      stderr: expect.stringMatching(
        /^dsync\(bad user\): Error: remote: doveadm\(.*\): .*User doesn't exist\ndsync\(bad user\): Error: User doesn't exist: bad user\n$/,
      ),
    });
  });

  test('a warning of Dovecot’s within the session is shown as one', async () => {
    const pairing = { ...serves, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    let state = '';
    for (let i = 0; i < 3; i++) state = (await runWell(ends, pairing, user, ['sync', '-s', state])).trim();
    const maildir = join(ends.holder(user.theirs).home(user.theirs), 'Maildir');
    for (const name of await readdir(maildir)) if (name.startsWith('dovecot.index')) await rm(join(maildir, name));
    const { stderr } = await ends.sync(pairing, user.name, ['sync', '-s', state]);
    expect(stderr).toMatch(
      /^dsync\(u\d+\): Warning: remote: doveadm\(.*: (brain S: )?Failed to do incremental sync for mailbox INBOX/m,
    );
  });

  test.each([
    ['a wrong password', 'tcp', ['doveadm_password=wrong'], /doveadm authentication failed/],
    ['a wrong password, encrypted', 'tcps', ['doveadm_password=wrong'], /doveadm authentication failed/],
  ] as const)('our server refuses a doveadm with %s', async (_name, carrier, settings, message) => {
    const outcome = await ends.sync({ ...starts, carrier }, 'a', ['sync'], settings);
    expect(outcome).toMatchObject({ code: 75, stderr: expect.stringMatching(message) });
  });

  test('a doveadm does not go on with a server that it cannot prove', async () => {
    const settings = [`ssl_client_ca_file=${inside(stranger)}/ca.crt`];
    const outcome = await ends.sync({ ...starts, carrier: 'tcps' }, 'a', ['sync'], settings);
    expect(outcome).toMatchObject({ code: 75, stderr: expect.stringMatching(/certificate/i) });
  });

  test('a user whom our server does not know is 67 for doveadm, with our words', async () => {
    const outcome = await ends.sync({ ...starts, carrier: 'tcp' }, 'nobody', ['sync']);
    expect(outcome).toMatchObject({
      code: 67,
      stderr: expect.stringMatching(/dsync-server\(nobody\): User doesn't exist: nobody\n.*Unknown user in remote\n$/),
    });
  });

  // 2.3 reads and drops what comes after the command's answer.
  const shown = version === '2.4';
  test.each([
    [
      'warning',
      0,
      ['sync', '-x', '\\Trash'],
      /Warning: dsync-remote\(u\d+\): dsync-server\(u\d+\): nothing is left out for/,
    ],
    [
      'failure',
      75,
      ['sync', '-m', '\\Trash'],
      /Error: dsync-remote\(u\d+\): dsync-server\(u\d+\): \\Trash cannot be selected/,
    ],
  ] as const)('a %s of ours within the session is shown by doveadm', async (_name, code, verb, message) => {
    const pairing = { ...starts, carrier: 'tcp' } as const;
    const user = await makeUser(ends, pairing);
    const outcome = await ends.sync(pairing, user.name, verb);
    expect(outcome.code).toBe(code);
    expect(message.test(outcome.stderr)).toBe(shown);
  });
}
