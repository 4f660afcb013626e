#!/usr/bin/env node
/** The program `dsync-server`; the code is the bundle that `npm run build` makes. */
'use strict';
let load;
try {
  load = require('../dist/bundle/load.cjs');
} catch (error) {
  if (error?.code !== 'MODULE_NOT_FOUND') throw error;
  process.stderr.write('dsync-server has not been built: npm run build\n');
  process.exit(1);
}
void load.program('dsync-server').run();
