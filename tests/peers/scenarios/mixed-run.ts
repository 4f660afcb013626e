/** One run between an account of a real Dovecot and a store of ours, in this process as far as ours goes. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';

import { openSession } from '@dsync/client';
import type { MailStore } from '@dsync/storage';

import { serve } from '../../scenarios/serve.ts';
import { readOptions } from '../../support/options.ts';
import { resultOf, type RunHooks, type RunResult, startSide, withState } from '../../support/run-sync.ts';
import { DOVEADM_PASSWORD } from '../rig/dovecot-config.ts';
import type { Dovecot } from '../rig/dovecot.ts';
import { startRelay } from './relay.ts';

/** What is run, whoever starts it. */
export interface MixedRun {
  readonly dovecot: Dovecot;
  /** Whose account it is at the Dovecot. */
  readonly user: string;
  readonly command: 'sync' | 'backup';
  readonly words: readonly string[];
}

/** Our client in this process, the Dovecot's server. */
export async function weStart(
  { dovecot, user, command, words }: MixedRun,
  store: MailStore,
  hooks: RunHooks = {},
): Promise<RunResult> {
  const asked = readOptions(command, words);
  const socket = connect({ port: dovecot.doveadmPort, host: '127.0.0.1' });
  const login = { password: DOVEADM_PASSWORD, debug: false, verbose: false, timeoutMs: 10_000, onLog: () => {} };
  try {
    const carrier = await openSession(socket, { ...login, user });
    return await resultOf(asked, startSide(store, carrier, withState(asked), hooks));
  } finally {
    socket.destroy();
  }
}

/** What happens at a point of the session. */
export interface Meanwhile {
  readonly when: string;
  readonly action: () => Promise<void>;
}

/**
 * A doveadm, and our server in this process.
 * @param file to be written with the server's `configuration`
 */
export async function dovecotStarts(
  { dovecot, user, command, words }: MixedRun,
  { file, configuration }: { readonly file: string; readonly configuration: string },
  meanwhile: Meanwhile | null = null,
): Promise<Pick<RunResult, 'exit' | 'state' | 'error'>> {
  writeFileSync(file, configuration);
  await using server = await serve(file, 'tcp');
  await using relay = meanwhile === null ? null : await startRelay(server.port, meanwhile.when, meanwhile.action);
  const port = relay?.port ?? server.port;
  const { code, stdout, stderr } = await dovecot.doveadm([command, ...words, '-u', user, `tcp:127.0.0.1:${port}`]);
  return {
    exit: code ?? -1,
    state: words.includes('-s') ? stdout.toString('utf8').trim() : null,
    error: stderr === '' ? null : stderr.trim(),
  };
}
