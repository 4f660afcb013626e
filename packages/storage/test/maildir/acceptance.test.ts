import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openMaildirStore } from '@dsync/storage';
import { createMaildirUser, describeMailStore, type StageOptions, type StoreUnderTest } from '@dsync/storage/test-kit';

for (const layout of ['maildir++', 'fs'] as const) {
  describeMailStore(`a Maildir with layout ${layout}`, (options) => makeStore(layout, options));
}

async function makeStore(layout: 'maildir++' | 'fs', { separator, now }: StageOptions): Promise<StoreUnderTest> {
  const home = fs.mkdtempSync(join(tmpdir(), 'dsync-maildir-'));
  const root = join(home, 'Maildir');
  const open = { root, layout, separator, now };
  return {
    user: createMaildirUser(open),
    open: () => openMaildirStore({ ...open, home, journal: 'auto', fsync: 'on' }),
    [Symbol.asyncDispose]: async () => fs.rmSync(home, { recursive: true, force: true }),
  };
}
