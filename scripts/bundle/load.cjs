/**
 * Loads a bundle that lies beside this file, with the machine code that a run of it left (`NAME.code`): compiling would
 * be a fourth of a run that has nothing to do. Another version of Node refuses that code, and compiles.
 */
'use strict';
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { getHeapStatistics, setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

// msgpackr's native helper reads long texts faster, which a run has few of; finding and loading it costs more than it gives.
process.env['MSGPACKR_NATIVE_ACCELERATION_DISABLED'] ??= 'true';

/** Its exports, and the script that `write-code.js` asks for its code. */
function loadBundle(name) {
  // esbuild writes ASCII alone, and one-byte text is read without decoding.
  const filename = join(__dirname, `${name}.cjs`);
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, 'latin1')}\n})`,
    { filename, cachedData: codeOf(name) },
  );
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, __dirname);
  return { exports: module.exports, script };
}

function codeOf(name) {
  try {
    return readFileSync(join(__dirname, `${name}.code`));
  } catch {
    return undefined;
  }
}

/**
 * On a machine with much memory V8 lets garbage grow to several times of what is in use; many of these programs may run
 * at once. To collect it often costs a tenth of the time of a run with little in use, and little of a run with much. The
 * young generation has grown to 4 MB while the bundle was loaded; the 32 MB that it would grow to save nothing that
 * could be measured.
 */
function limitMemory() {
  setFlagsFromString('--semi-space-growth-factor=1');
  let last = 0;
  const limit = () => {
    const used = getHeapStatistics().used_heap_size;
    const { percent } = GROWTH.find(({ above }) => used > above);
    if (percent !== last) setFlagsFromString(`--heap-growing-percent=${percent}`);
    last = percent;
  };
  limit();
  setInterval(limit, LOOK_MS).unref();
}

/**
 * V8's optimiser takes a fifth of the processor time of a copy of a thousand folders. With less of what a function calls put
 * into its code, that copy needs a tenth less, and one of few large folders no more.
 */
function limitInlining() {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=200');
}

const MB = 1 << 20;
const LOOK_MS = 50;
/** How much the heap may grow until it is collected again. */
const GROWTH = [
  { above: 40 * MB, percent: 10 },
  { above: 28 * MB, percent: 20 },
  { above: 20 * MB, percent: 60 },
  { above: 0, percent: 200 },
];

exports.loadBundle = loadBundle;
exports.program = (name) => {
  const { exports: program } = loadBundle(name);
  // Not before: V8 takes machine code only with the flags that it was made with.
  limitMemory();
  limitInlining();
  return program;
};
