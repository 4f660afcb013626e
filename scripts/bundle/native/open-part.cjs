/**
 * Opens a native part that lies where npm puts it. The packages' own finders ask for the C library and read several files
 * first, which takes longer than all that a short run does with the part.
 */
'use strict';
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

/** @param {string[]} path below a `node_modules`; null if it is not there, or made for another C library */
module.exports = (...path) => {
  for (let folder = __dirname, above; folder !== above; above = folder, folder = dirname(folder)) {
    const file = join(folder, 'node_modules', ...path);
    if (!existsSync(file)) continue;
    try {
      const part = { exports: {} };
      process.dlopen(part, file);
      return part.exports;
    } catch {
      return null;
    }
  }
  return null;
};
