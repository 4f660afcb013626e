/** What the bundler does not do by itself, for the sake of a short start. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Parts of Node that many files import whole. esbuild copies all names of such a part for each of these files, which takes
 * two milliseconds of every start for `node:fs`; with this one copy is made, of the names that are there.
 * @param {string[]} parts as `node:fs`
 */
export const copyOnce = (parts) => ({
  name: 'copy-once',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(?:${parts.join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'copy-once' ? null : { path, namespace: 'copy-once', sideEffects: false },
    );
    build.onLoad({ filter: /^/, namespace: 'copy-once' }, ({ path }) => {
      // A getter loads what it has when it is asked for; nobody may ask here.
      const names = Object.entries(Object.getOwnPropertyDescriptors(require(path)))
        .filter(([, property]) => property.enumerable && 'value' in property)
        .map(([name]) => name);
      const lines = names.map((name) => `export const ${name} = part.${name};`);
      return { contents: [`const part = require('${path}');`, 'export default part;', ...lines].join('\n') };
    });
  },
});

/**
 * A package of which another package has a copy of its own: there is to be one, that of `folder`.
 * @param {string} name @param {string} folder
 */
export const oneCopyOf = (name, folder) => ({
  name: 'one-copy-of',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${name}$`) }, ({ kind, pluginData }) =>
      pluginData === folder ? null : build.resolve(name, { kind, resolveDir: folder, pluginData: folder }),
    );
  },
});
