/** Tests run as ES modules on the TypeScript sources; swc strips the types. */
export default {
  testEnvironment: 'node',
  // A hang is to be found, a slow machine is not: disks that many tests flush at once can take seconds for one.
  testTimeout: 60_000,
  setupFiles: ['<rootDir>/tests/support/seed.js'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^@dsync/([a-z]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^@dsync/([a-z]+)/test-kit$': '<rootDir>/packages/$1/test-kit/index.ts',
  },
  testMatch: ['<rootDir>/packages/*/test/**/*.test.ts', '<rootDir>/tests/**/*.test.ts'],
  reporters: ['default', '<rootDir>/tests/support/reporter.js'],
  modulePathIgnorePatterns: ['<rootDir>/packages/[^/]+/dist/'],
};
