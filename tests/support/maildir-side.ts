/** Sides that are real Maildirs, used by a mail server and by other programs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openMaildirStore } from '@dsync/storage';
import { createMaildirUser, type MaildirUserOptions } from '@dsync/storage/test-kit';

import type { Clock, MakePlace } from './side.ts';

/** A folder that goes with what uses it. */
export interface TemporaryFolder {
  readonly path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param name is part of the path, for whoever finds it left over */
export function temporaryFolder(name: string): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), `dsync-${name}-`));
  return {
    path,
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Where the mail of a side lies. */
export const mailFolder = (folder: string, name: string): string => join(folder, name, 'Maildir');

/** Maildirs below `folder`; their stores are opened anew for each run. */
export function maildirPlaces(
  folder: string,
  clock: Clock,
  user: Pick<MaildirUserOptions, 'likeDovecot'> = {},
): MakePlace {
  return async (name, { separator, layout }) => {
    const root = mailFolder(folder, name);
    const options = { root, layout, separator, now: clock.now };
    return {
      user: createMaildirUser({ ...options, ...user }),
      folder: (path) => {
        if (path.length === 1 && path[0] === 'INBOX') return root;
        return layout === 'fs' ? join(root, ...path) : join(root, `.${path.join('.')}`);
      },
      open: () =>
        openMaildirStore({ ...options, journal: 'auto', fsync: 'on', create: true, home: join(folder, name) }),
    };
  };
}
