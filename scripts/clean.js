/** Removes everything that a build or a test run made; `npm install` and `npm run build` bring it back. */
import { rm } from 'node:fs/promises';

const made = [
  ...['protocol', 'storage', 'settings', 'sync', 'server', 'client'].map((room) => `packages/${room}/dist`),
  'node_modules/.cache',
  'certs/generated',
  'coverage',
];
const root = new URL('../', import.meta.url);
await Promise.all(made.map((path) => rm(new URL(path, root), { recursive: true, force: true })));
