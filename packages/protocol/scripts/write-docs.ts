/** Renews the generated parts of docs/protocol.md: `npx tsx packages/protocol/scripts/write-docs.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';

import { renew } from './tables.ts';

const page = new URL('../../../docs/protocol.md', import.meta.url);
writeFileSync(page, renew(readFileSync(page, 'utf8')));
