/**
 * The arrows between the rooms (docs/architecture.md): who may lean on whom, and by which door. Circles inside a room are
 * the linter's business (import/no-cycle), which can tell imports of types from those that run.
 */
const rooms = {
  protocol: [],
  storage: ['protocol'],
  settings: [],
  sync: ['protocol', 'storage'],
  server: ['sync', 'storage', 'settings', 'protocol'],
  client: ['sync', 'storage', 'settings', 'protocol', 'server'],
};

const arrows = Object.entries(rooms).map(([room, mayUse]) => {
  const others = Object.keys(rooms).filter((other) => other !== room && !mayUse.includes(other));
  return {
    name: `${room}-leans-on-${mayUse.join('-') || 'nothing'}`,
    severity: 'error',
    comment: `${room} may import ${mayUse.join(', ') || 'no other room'}`,
    from: { path: `^packages/${room}/src/` },
    to: { path: `^packages/(${others.join('|')})/` },
  };
});

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'public-entry-only',
      severity: 'error',
      comment: "another room's inside is reached through its index.ts alone",
      from: { path: '^packages/([^/]+)/(src|test|test-kit)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: ['^packages/$1/', '^packages/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'outside-uses-public-entry',
      severity: 'error',
      comment: 'tests, benchmarks and scripts outside the rooms use the public entries',
      from: { path: '^(tests|bench|certs|scripts)/' },
      to: { path: '^packages/[^/]+/(src|dist)/', pathNot: '^packages/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '^(tests|bench|packages/[^/]+/(test|test-kit))/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^(@jest/globals)$' } },
    {
      name: 'no-development-dependency-in-sources',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: '^packages/',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: '.dependency-cruiser.tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
