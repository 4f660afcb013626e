/** Folders outside the checkout that tests use. */
import { join, resolve } from 'node:path';

/** The folder with the sample mail and the recorded scenarios: DSYNC_SHARED, or `shared` beside the checkout. */
export const sharedFolder: string = resolve(
  process.env['DSYNC_SHARED'] ?? join(import.meta.dirname, '../../../shared'),
);

/** Where test:peers keeps the Debian that holds Dovecot 2.4. */
export const peersCache: string = process.env['DSYNC_PEERS_CACHE'] ?? '/var/cache/dsync-peers';
