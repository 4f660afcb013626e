/** Our client starts our server by a real ssh and a real sshd. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { hashMailFiles } from './rig/corpus.ts';
import { run } from './rig/processes.ts';
import { startSshServer } from './rig/sshd.ts';

const PROGRAM = join(import.meta.dirname, '../../node_modules/.bin/dsync');

const deliver = async (maildir: string, name: string): Promise<void> => {
  for (const part of ['cur', 'new', 'tmp']) await mkdir(join(maildir, part), { recursive: true });
  await writeFile(join(maildir, 'new', name), `Subject: ${name}\n\nText\n`);
};

describeWith(['sshd', 'ssh', 'root'], 'a destination that is an ssh command', () => {
  test('is synchronised both ways by a server started at the other end', async () => {
    await using server = await startSshServer();
    const folder = await mkdtemp('/tmp/over-ssh-');
    const [near, far] = [join(folder, 'near'), join(folder, 'far')];
    await deliver(near, '1700000000.M1P1.near');
    await deliver(far, '1700000001.M1P1.far');
    const remote = [process.execPath, PROGRAM, '-o', `mail_location=maildir:${far}`, 'dsync-server', '-u', 'u'];

    const outcome = await run(process.execPath, [
      ...[PROGRAM, '-o', `mail_location=maildir:${near}`, 'sync', '-u', 'u', '--json'],
      ...['ssh', ...server.arguments, ...remote],
    ]);

    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(outcome.stdout.toString('utf8'))).toMatchObject({ result: 'ok', dialect: 'native' });
    const stored = await hashMailFiles(near);
    expect(stored).toHaveLength(2);
    expect(await hashMailFiles(far)).toEqual(stored);
    await rm(folder, { recursive: true });
  });
});
