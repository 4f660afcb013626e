/** Tests with real peers take longer than one likes to wait: they run where they are named, as `npm run test:peers` does. */
const namesPeers = process.argv.slice(2).some((word) => word.includes('tests/peers'));

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
  testPathIgnorePatterns: ['/node_modules/', ...(namesPeers ? [] : ['<rootDir>/tests/peers/'])],
  reporters: ['default', '<rootDir>/tests/support/reporter.js'],
  modulePathIgnorePatterns: ['<rootDir>/packages/[^/]+/dist/'],
};
