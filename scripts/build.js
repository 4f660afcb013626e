/**
 * Bundles the two programs from their sources: one entry each, with chunks that a run loads when it needs them. Start-up
 * time is most of a run that has nothing to do, and one file loads several times faster than some hundred.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = new URL('../', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));
const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));

/** The rooms from their sources, so that the bundle needs no earlier build and keeps what is loaded lazily apart. */
const rooms = Object.fromEntries(
  ['protocol', 'storage', 'settings', 'sync', 'server', 'client'].map((room) => [
    `@dsync/${room}`,
    path(`packages/${room}/src/index.ts`),
  ]),
);

for (const [name, room] of [
  ['dsync', 'client'],
  ['dsync-server', 'server'],
]) {
  await build({
    entryPoints: { [name]: path(`packages/${room}/src/program.ts`) },
    outdir: path(`packages/${room}/dist/bundle`),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    legalComments: 'none',
    alias: rooms,
    // Native parts stay where npm put them.
    external: ['lmdb', 'msgpackr-extract', 'fs-native-extensions'],
    define: { DSYNC_VERSION: JSON.stringify(version) },
    // Packages in CommonJS ask for `require`, which an ES module does not have.
    banner: {
      js: "import{createRequire as dsyncCreateRequire}from'node:module';const require=dsyncCreateRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
