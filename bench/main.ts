/**
 * `npm run bench -- [--quick] [--json FILE] [--only TEXT] [--doveadm-growth]`: our programs and the peers on the same
 * mail, in one run. Works in a folder below DSYNC_BENCH_DIR (default /tmp) and deletes it at the very end, because ext4
 * makes files slowly for some seconds after many were deleted.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { cases, type Growth, measureGrowth, type Row, runCase } from './cases.ts';
import { printReport } from './report.ts';
import { canUseDovecot, doveadmTcp, oursTcp } from './tools.ts';
import { touchMemory } from './touch-memory.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string', default: '' },
    'doveadm-growth': { type: 'boolean', default: false },
  },
});

const tell = (text: string): void => console.error(text);

const newFolder = async (parent: string, name: string): Promise<string> => {
  const folder = join(parent, name);
  await mkdir(folder, { mode: 0o755 });
  return folder;
};

const measureAll = async (root: string, scale: number): Promise<{ rows: Row[]; growth: Record<string, Growth> }> => {
  await touchMemory(scale);
  const rows: Row[] = [];
  for (const [index, one] of cases(scale).entries()) {
    if (!one.title.includes(options.only)) continue;
    rows.push(...(await runCase(await newFolder(root, `case${index}`), one, tell)));
  }
  const growth: Record<string, Growth> = {};
  if ('growth'.includes(options.only)) {
    tell('growth');
    growth['dsync'] = await measureGrowth(await newFolder(root, 'growth'), scale, oursTcp);
    if (options['doveadm-growth']) {
      growth['doveadm'] = await measureGrowth(await newFolder(root, 'growth-doveadm'), scale, doveadmTcp);
    }
  }
  return { rows, growth };
};

const main = async (): Promise<void> => {
  // Every Node then reads these certificates before anything else: 0.03 s of each start, which most machines do not have.
  delete process.env['NODE_EXTRA_CA_CERTS'];
  if (!canUseDovecot())
    tell('no comparison with doveadm: that needs root and apt-get install dovecot-core dovecot-imapd');
  const root = await mkdtemp(join(process.env['DSYNC_BENCH_DIR'] ?? '/tmp', 'dsync-bench-'));
  await chmod(root, 0o755); // Dovecot's mail user must get through
  try {
    const measured = await measureAll(root, options.quick ? 0.1 : 1);
    const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
    const results = { machine, date: new Date().toISOString().slice(0, 10), quick: options.quick, ...measured };
    console.log(printReport(results));
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
};

await main();
