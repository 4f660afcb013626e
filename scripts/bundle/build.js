/**
 * Bundles the two programs from their sources into one file each, whose parts are evaluated when a run needs them. Start-up
 * time is most of a run that has nothing to do, and one file loads several times faster than some hundred.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = new URL('../../', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));
const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));

/** The rooms from their sources, so that the bundle needs no earlier build and keeps what is loaded lazily apart. */
const rooms = Object.fromEntries(
  ['protocol', 'storage', 'settings', 'sync', 'server', 'client'].map((room) => [
    `@dsync/${room}`,
    path(`packages/${room}/src/index.ts`),
  ]),
);

const bundle = async (name, room) => {
  const folder = path(`packages/${room}/dist/bundle`);
  rmSync(folder, { recursive: true, force: true });
  await build({
    entryPoints: { [name]: path(`packages/${room}/src/program.ts`) },
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    // What is imported when it is needed stays so: within the file, and by `require` from outside of it.
    supported: { 'dynamic-import': false },
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    legalComments: 'none',
    alias: rooms,
    // Native parts stay where npm put them.
    external: ['lmdb', 'msgpackr-extract', 'fs-native-extensions'],
    define: { DSYNC_VERSION: JSON.stringify(version), 'import.meta.url': 'dsyncBundleUrl' },
    banner: { js: "const dsyncBundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    logLevel: 'warning',
  });
  copyFileSync(path('scripts/bundle/load.cjs'), join(folder, 'load.cjs'));
  return folder;
};

const writeCode = (folder, name, ...words) => {
  const node = (...args) => execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  node(path('scripts/bundle/write-code.js'), folder, name, ...words);
  // V8 says nothing when it cannot use the code, and compiles: a third of a short run.
  const load = `require(${JSON.stringify(join(folder, 'load.cjs'))}).loadBundle(${JSON.stringify(name)})`;
  const said = node('--print', `${load}.script.cachedDataRejected`).toString().trim();
  if (said !== 'false') throw new Error(`the machine code of ${name} is not taken: ${said}`);
};

const client = await bundle('dsync', 'client');
const server = await bundle('dsync-server', 'server');
const home = mkdtempSync(join(tmpdir(), 'dsync-build-'));
try {
  writeCode(client, 'dsync', '-o', `mail_location=maildir:${home}/a`, 'sync', '-u', 'u', `maildir:${home}/b`);
  writeCode(server, 'dsync-server', '--version');
} finally {
  rmSync(home, { recursive: true, force: true });
}
