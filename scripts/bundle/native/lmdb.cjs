/** Stands in the bundle for `node-gyp-build-optional-packages`, by which lmdb finds its native part. */
'use strict';
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');

const openPart = require('./open-part.cjs');

const { platform, arch, versions } = process;

module.exports = () =>
  openPart('@lmdb', `lmdb-${platform}-${arch}`, `node.abi${versions.modules}.glibc.node`) ?? bySearch();

function bySearch() {
  const lmdb = dirname(dirname(createRequire(__filename).resolve('lmdb')));
  return createRequire(join(lmdb, 'index.js'))('node-gyp-build-optional-packages')(lmdb);
}
