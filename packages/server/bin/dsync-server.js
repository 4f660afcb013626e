#!/usr/bin/env node
/** The program `dsync-server`; the code is the bundle that `npm run build` makes. */
let program;
try {
  program = await import('../dist/bundle/dsync-server.js');
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write('dsync-server has not been built: npm run build\n');
  process.exit(1);
}
await program.run();
