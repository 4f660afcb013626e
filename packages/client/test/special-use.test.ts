/** Special uses (RFC 6154) that the settings give to mailboxes, as `-m` and `-x` select them. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { Place } from './programs.ts';

const CONFIG = `namespace inbox {
  inbox = yes
  separator = /
  mailbox Post {
    special_use = \\Sent
  }
  mailbox "Old Post" {
    special_use = \\sent
  }
  mailbox Bin {
    special_use = \\Trash \\Junk
  }
}
`;
const start = (place: Place, folders: readonly string[]): ((...args: string[]) => Promise<number | string>) => {
  const file = join(place.folder, 'special.conf');
  writeFileSync(file, CONFIG);
  for (const folder of folders) place.deliver('a', `in-${folder}`, { folder });
  return async (...args) => {
    const outcome = await place.sync('-c', file, ...args);
    return outcome.status === 0 ? 0 : `${outcome.status} ${outcome.stderr}`;
  };
};

test('-m takes the mailbox of that use that is there', async () => {
  using place = new Place();
  const sync = start(place, ['', '.Post', '.Bin']);
  expect(await sync('-m', '\\Sent')).toBe(0);
  expect(place.subjects('b', '.Post')).toEqual(['in-.Post']);
  expect(existsSync(join(place.maildir('b'), '.Bin'))).toBe(false);
});

test('-x leaves out what has the use, by any of its uses', async () => {
  using place = new Place();
  const sync = start(place, ['', '.Post', '.Old Post', '.Bin', '.Else']);
  expect(await sync('-x', '\\SENT', '-x', '\\Junk')).toBe(0);
  expect(existsSync(join(place.maildir('b'), '.Else'))).toBe(true);
  for (const folder of ['.Post', '.Old Post', '.Bin']) expect(existsSync(join(place.maildir('b'), folder))).toBe(false);
});

test('what nothing or too much has is refused', async () => {
  using place = new Place();
  const sync = start(place, ['', '.Post', '.Old Post']);
  expect(await sync('-m', '\\Drafts')).toMatch(/^64 .*no mailbox has the special use \\Drafts in the settings/);
  expect(await sync('-m', '\\Sent')).toMatch(
    /^64 .*several mailboxes have the special use \\Sent: Post, Old Post; name one/,
  );
  expect(existsSync(join(place.maildir('b'), '.Post'))).toBe(false);
});
