/**
 * Bundles the two programs from their sources into one file each, whose parts are evaluated when a run needs them. Start-up
 * time is most of a run that has nothing to do, and one file loads several times faster than some hundred.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { copyOnce, oneCopyOf } from './esbuild-plugins.js';
import { writeCodes } from './warm-up.js';

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

/** Native parts stay where npm put them. */
const native = {
  'node-gyp-build-optional-packages': path('scripts/bundle/native/lmdb.cjs'),
  'require-addon': path('scripts/bundle/native/fs-native-extensions.cjs'),
};

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
    // Names stay: they are shown in errors, and esbuild's way to keep them otherwise costs every start a millisecond.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: 'linked',
    legalComments: 'none',
    alias: { ...rooms, ...native },
    external: ['msgpackr-extract', 'bun:ffi'],
    // lmdb has one of its own, for what the journal does not use.
    plugins: [copyOnce(['node:fs']), oneCopyOf('msgpackr', path('packages/protocol'))],
    define: { DSYNC_VERSION: JSON.stringify(version), 'import.meta.url': 'dsyncBundleUrl' },
    banner: { js: "const dsyncBundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    logLevel: 'warning',
  });
  copyFileSync(path('scripts/bundle/load.cjs'), join(folder, 'load.cjs'));
  return folder;
};

await writeCodes(await bundle('dsync', 'client'), await bundle('dsync-server', 'server'));
