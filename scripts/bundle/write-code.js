/**
 * node write-code.js FOLDER NAME [ARGUMENT…]: runs a bundle and writes down the machine code of what the run used. The
 * program ends its process itself, so that is done at its very end.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [, , folder, name, ...words] = process.argv;
const { loadBundle } = createRequire(import.meta.url)(join(resolve(folder), 'load.cjs'));
process.argv = [process.argv[0], name, ...words];
const { exports: program, script } = loadBundle(name);
process.on('exit', () => writeFileSync(join(folder, `${name}.code`), script.createCachedData()));
await program.run();
