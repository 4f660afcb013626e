/**
 * Writes the machine code of both programs, of the runs that it is for: a session of the server that gets mail, since a
 * server stays, and a run of the client that has nothing to do, since there the start is most of the time.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WRITE_CODE = fileURLToPath(new URL('write-code.js', import.meta.url));
const node = (...args) => execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }).toString();

/** @param {string} client @param {string} server the folders of the two bundles */
export async function writeCodes(client, server) {
  const home = mkdtempSync(join(tmpdir(), 'dsync-build-'));
  try {
    makeMail(join(home, 'a'));
    const settings = (store) => ['-o', `mail_location=maildir:${home}/${store}`, '-o', 'doveadm_password=build'];
    const daemon = spawn(
      process.execPath,
      [WRITE_CODE, server, 'dsync-server', ...settings('b'), '--listen', 'tcp:127.0.0.1:0'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const ended = new Promise((resolve) => daemon.once('close', resolve));
    try {
      const run = [...settings('a'), 'sync', '-u', 'build', await addressOf(daemon)];
      node(join(client, '../../bin/dsync.cjs'), ...run);
      node(WRITE_CODE, client, 'dsync', ...run);
    } finally {
      daemon.kill();
      await ended;
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  check(client, 'dsync');
  check(server, 'dsync-server');
}

function makeMail(maildir) {
  for (const [i, folder] of ['', '.Archive', '.Archive.2024'].entries()) {
    for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, folder, part), { recursive: true });
    for (let mail = 0; mail <= i; mail++)
      writeFileSync(join(maildir, folder, 'cur', `170000000${mail}.M${i}P1.build:2,S`), `Subject: ${mail}\n\nText\n`);
  }
}

/** As its log tells it. */
async function addressOf(daemon) {
  for await (const line of createInterface({ input: daemon.stderr })) {
    const [, address] = /listening on (tcp:\S+)/.exec(line) ?? [];
    if (address !== undefined) return address;
    process.stderr.write(`${line}\n`);
  }
  throw new Error('the server does not listen');
}

/** V8 says nothing when it cannot use the code, and compiles: a third of a short run. */
function check(folder, name) {
  const load = `require(${JSON.stringify(join(folder, 'load.cjs'))}).loadBundle(${JSON.stringify(name)})`;
  const said = node('--print', `${load}.script.cachedDataRejected`).trim();
  if (said !== 'false') throw new Error(`the machine code of ${name} is not taken: ${said}`);
}
