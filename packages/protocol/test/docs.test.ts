import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { renew } from '../scripts/tables.ts';

test('docs/protocol.md says what the message table says (renew it with scripts/write-docs.ts)', () => {
  const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  expect(renew(page)).toBe(page);
});
