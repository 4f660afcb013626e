/** Removes what a killed run left beside the mailboxes. */
import fs from 'node:fs';
import { join } from 'node:path';

import type { Context } from './context.ts';
import { attempt } from './files.ts';
import { TRASH } from './layout.ts';
import { dropLeftSyncLock, userLockIn } from './sync-lock.ts';
import { tidySubscriptions } from './subscriptions-file.ts';

/** Costs three stats if there is nothing; where nothing may be touched, none. @throws {StoreError} */
export async function tidyStore(context: Context): Promise<void> {
  const { layout } = context;
  if (context.shadow !== null) return;
  const trash = join(layout.roots.mail, TRASH[layout.name]);
  // A mailbox whose deletion was begun: nobody can see it any more.
  if (fs.existsSync(trash)) attempt(() => fs.rmSync(trash, { recursive: true, force: true }));
  await tidySubscriptions(context);
  await dropLeftSyncLock(userLockIn(context.home));
}
