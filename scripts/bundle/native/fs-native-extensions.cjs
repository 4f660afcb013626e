/** Stands in the bundle for `require-addon`, by which fs-native-extensions finds its native part. */
'use strict';
const { createRequire } = require('node:module');

const openPart = require('./open-part.cjs');

const NAME = 'fs-native-extensions';

module.exports = () =>
  openPart(NAME, 'prebuilds', `${process.platform}-${process.arch}`, `${NAME}.node`) ??
  createRequire(__filename)(`${NAME}/binding.js`);
