/** An OpenSSH server on loopback with keys that live as long as it does. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { freePorts } from './ports.ts';
import { CLEAN_ENVIRONMENT, endProcess, mustRun, untilAccepting } from './processes.ts';

/** A server that lets in whoever has the key. */
export interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Arguments for `ssh` up to and with the host: key, port, known hosts, no questions asked. */
  readonly arguments: readonly string[];
  stop(): Promise<void>;
}

const printServerConfig = (folder: string, port: number): string => `Port ${port}
ListenAddress 127.0.0.1
HostKey ${folder}/host
AuthorizedKeysFile ${folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`;

/** Starts one on a free port and waits until it answers. */
export const startSshServer = async (): Promise<SshServer> => {
  const folder = await mkdtemp('/tmp/sshd-');
  for (const key of ['host', 'client']) {
    await mustRun('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
  }
  const [port = 0] = await freePorts(1);
  await writeFile(join(folder, 'sshd_config'), printServerConfig(folder, port));
  const hostKey = await readFile(join(folder, 'host.pub'), 'utf8');
  await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`);
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 }); // where the server's unprivileged half is shut in

  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    env: CLEAN_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const stop = async (): Promise<void> => {
    await endProcess(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilAccepting(port, child, () => Promise.resolve(Buffer.concat(said).toString('utf8')));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    arguments: [
      ...['-F', 'none', '-i', join(folder, 'client'), '-p', String(port)],
      ...['-o', `UserKnownHostsFile=${join(folder, 'known_hosts')}`, '-o', 'StrictHostKeyChecking=yes'],
      ...['-o', 'BatchMode=yes', '127.0.0.1'],
    ],
    stop,
    [Symbol.asyncDispose]: stop,
  };
};
