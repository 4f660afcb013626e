/**
 * Stands in the bundle for lmdb's finder of its native part, which asks for the C library and reads some packages first: that
 * takes as long as opening a journal. Where the part does not lie as npm puts it, the finder itself is asked.
 */
'use strict';
const { existsSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');

const PART = join(
  'node_modules',
  '@lmdb',
  `lmdb-${process.platform}-${process.arch}`,
  `node.abi${process.versions.modules}.glibc.node`,
);

module.exports = () => {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const file = join(folder, PART);
    if (existsSync(file)) {
      try {
        const addon = { exports: {} };
        process.dlopen(addon, file);
        return addon.exports;
      } catch {
        // Another C library.
        break;
      }
    }
    if (folder === dirname(folder)) break;
  }
  const lmdb = dirname(dirname(createRequire(__filename).resolve('lmdb')));
  return createRequire(join(lmdb, 'index.js'))('node-gyp-build-optional-packages')(lmdb);
};
