/** Runs as a user makes them: the command line on one side, a listening server with TLS on the other. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { jest } from '@jest/globals';
import { clientMain, openSession } from '@dsync/client';

import { makeCertificates, writeCertificates } from '../../certs/make-certificates.ts';
import { maildirPlaces, temporaryFolder, type TemporaryFolder } from '../support/maildir-side.ts';
import { readOptions } from '../support/options.ts';
import { startSide } from '../support/run-sync.ts';
import type { Scenario, SideName } from '../support/scenario.ts';
import { Clock } from '../support/side.ts';
import { hooksOf, otherSide, type Runner, sidesAt, type World } from './play.ts';
import { printConfig, serve } from './serve.ts';

const PASSWORD = 'between two tests';

/** Certificates for a whole file of tests: making keys takes longer than most scenarios. */
export function makeTestCertificates(): TemporaryFolder {
  const folder = temporaryFolder('certificates');
  writeCertificates(folder.path, makeCertificates());
  return folder;
}

/** @param certificates the folder of development certificates */
export async function tcpsWorld(scenario: Scenario, certificates: string): Promise<World & AsyncDisposable> {
  // Users’ acts lie in the past of the runs, which have the time of day.
  const clock = new Clock(Math.floor(Date.now() / 1000) - 10_000);
  const folder = temporaryFolder('scenario');
  const configFile = (side: SideName): string => {
    const file = join(folder.path, `${side}.conf`);
    const lines = [
      'ssl = yes',
      `ssl_cert = <${join(certificates, 'server.crt')}`,
      `ssl_key = <${join(certificates, 'server.key')}`,
      `ssl_client_ca_file = ${join(certificates, 'ca.crt')}`,
    ];
    writeFileSync(file, printConfig(folder.path, side, scenario.config?.[side] ?? {}, PASSWORD, lines));
    return file;
  };
  const files = { A: configFile('A'), B: configFile('B') };
  return {
    ...sidesAt(scenario, clock, maildirPlaces(folder.path, clock)),
    run: runOver(files, certificates),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const USER = 'somebody';

/** Every run has a server and a connection of its own. */
function runOver(files: Readonly<Record<SideName, string>>, certificates: string): Runner {
  return async (pair, { start, command, words, during }) => {
    await using server = await serve(files[otherSide(start)], 'tcps');
    if (during === null) {
      return await runProgram(
        ['-c', files[start], command, '-u', USER, ...words, `tcps:localhost:${server.port}`],
        words.includes('-s'),
      );
    }
    // What happens meanwhile needs a hand on the channel, so here the engine is driven without the command line.
    await using store = await pair[start].open();
    const ca = readFileSync(join(certificates, 'ca.crt'));
    const socket = connect({ port: server.port, host: 'localhost', ca });
    const login = { user: USER, password: PASSWORD, debug: false, verbose: false, timeoutMs: 10_000, onLog: () => {} };
    try {
      const carrier = await openSession(socket, login);
      const report = await startSide(store, carrier, readOptions(command, words).options, hooksOf(pair, during));
      return { exit: report.unexpected.length > 0 ? 2 : 0, state: null, error: null };
    } catch (error) {
      return { exit: 75, state: null, error };
    } finally {
      socket.destroy();
    }
  };
}

/** The program in this process: what it prints is kept, what it returns is its exit status. */
async function runProgram(argv: readonly string[], printsState: boolean): ReturnType<Runner> {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [capture(process.stdout, out), capture(process.stderr, err)];
  try {
    const exit = await clientMain('dsync', argv, 'test');
    // Of a single file the test runner prints at once what it is told, here too; a state is a line of its own.
    const state = out.filter((text) => /^[A-Za-z0-9+/]*=*\n$/.test(text)).join('');
    return { exit, state: printsState ? state.trim() : null, error: exit === 0 ? null : err.join('').trim() };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function capture(stream: NodeJS.WriteStream, into: string[]): { mockRestore(): void } {
  return jest.spyOn(stream, 'write').mockImplementation((chunk, ...rest) => {
    into.push(String(chunk));
    const done = rest.findLast((argument) => typeof argument === 'function');
    if (typeof done === 'function') process.nextTick(done);
    return true;
  });
}
