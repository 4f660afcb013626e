/**
 * What is measured: first copies, runs with nothing to do, runs with ten new mails, growth. Each tool makes its first copy
 * several times, in turn with the others, so that a machine that is slow for a while is slow for all.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { mustRun } from '../tests/peers/rig/processes.ts';
import { deliverTen, makeMaildir, type Shape } from './generate.ts';
import { countMails, measure, type Measured } from './measure.ts';
import {
  canUseDovecot,
  cp,
  doveadmLocal,
  doveadmTcp,
  doveadmToOurs,
  oursLocal,
  oursTcp,
  oursToDovecot,
  rsync,
  served,
  type Tool,
} from './tools.ts';

/** One tool in one case. */
export interface Row {
  readonly case: string;
  readonly tool: string;
  /** Every measured run, seconds. */
  readonly seconds: readonly number[];
  /** Peak resident memory in MB of our client and our server; absent for the peers. */
  readonly clientMb?: number;
  readonly serverMb?: number;
}

type Start = (folder: string, model: string) => Promise<Tool>;

/** The same work for several tools. */
export interface Case {
  readonly title: string;
  readonly shape: Shape;
  readonly tools: readonly Start[];
}

/** First copies that each tool makes, each into an empty place. */
const ROUNDS = 3;

/** Both rows as one, with the larger memory. */
const joined = (before: Row | undefined, row: Row): Row => ({
  ...row,
  seconds: [...(before?.seconds ?? []), ...row.seconds],
  ...(row.clientMb === undefined ? {} : { clientMb: Math.max(before?.clientMb ?? 0, row.clientMb) }),
  ...(row.serverMb === undefined ? {} : { serverMb: Math.max(before?.serverMb ?? 0, row.serverMb) }),
});

/** Whether the command is ours; the server may be ours all the same. */
const isOurs = (tool: Tool): boolean => tool.name.startsWith('dsync');

/** Lets the disk finish what an earlier run left to it. */
const settle = (): Promise<unknown> => mustRun('sync', []);

const memory = (tool: Tool, runs: readonly Measured[]): Partial<Row> => {
  const serverMb = tool.serverPeakMb();
  return {
    ...(isOurs(tool) ? { clientMb: Math.max(...runs.map(({ peakMb }) => peakMb)) } : {}),
    ...(serverMb > 0 ? { serverMb } : {}),
  };
};

const measureSettled = async (tool: Tool): Promise<Measured> => {
  await settle();
  return measure(tool.command);
};

const expectMails = async (tool: Tool, wanted: number): Promise<void> => {
  const found = await countMails(tool.destination);
  if (found !== wanted) throw new Error(`${tool.name}: ${found} mails arrived instead of ${wanted}`);
};

const firstCopy = async (tool: Tool, shape: Shape): Promise<Measured> => {
  const run = await measureSettled(tool);
  await expectMails(tool, shape.folders * shape.mailsPerFolder);
  return run;
};

/** Later runs; the first of them is not counted, because it may tidy up after the first copy. */
const laterRuns = async (title: string, tool: Tool, shape: Shape): Promise<Row[]> => {
  if (tool.name.startsWith('cp')) return [];
  await measureSettled(tool);
  const idle: Measured[] = [];
  for (let round = 0; round < 5; round += 1) idle.push(await measureSettled(tool));
  const changed: Measured[] = [];
  for (let round = 0; round < 3; round += 1) {
    await deliverTen(tool.source, shape, round);
    changed.push(await measureSettled(tool));
    await expectMails(tool, shape.folders * shape.mailsPerFolder + 10 * (round + 1));
  }
  return [
    {
      case: `${title}: nothing to do`,
      tool: tool.name,
      seconds: idle.map(({ seconds }) => seconds),
      ...memory(tool, idle),
    },
    {
      case: `${title}: 10 new mails`,
      tool: tool.name,
      seconds: changed.map(({ seconds }) => seconds),
      ...memory(tool, changed),
    },
  ];
};

/** Runs a case with everything in new folders below `folder`; nothing is deleted. */
export const runCase = async (
  folder: string,
  { title, shape, tools }: Case,
  tell: (text: string) => void,
): Promise<Row[]> => {
  const model = join(folder, 'model');
  await mkdir(model, { recursive: true, mode: 0o755 });
  tell(`${title}: making the mail`);
  await makeMaildir(model, shape);
  const source = await served(folder, model);
  const rows = new Map<string, readonly Row[]>();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const place = join(folder, `round${round}`);
    await mkdir(place, { mode: 0o755 });
    for (const start of tools) {
      await using tool = await start(place, source);
      tell(`${title}: ${tool.name}, ${round} of ${ROUNDS}`);
      const run = await firstCopy(tool, shape);
      const row = { case: `${title}: first copy`, tool: tool.name, seconds: [run.seconds], ...memory(tool, [run]) };
      const first = joined(rows.get(tool.name)?.[0], row);
      rows.set(tool.name, round === ROUNDS ? [first, ...(await laterRuns(title, tool, shape))] : [first]);
    }
  }
  return [...rows.values()].flat();
};

const dovecots = (...tools: readonly Start[]): readonly Start[] => (canUseDovecot() ? tools : []);

/** `scale` 1 is the full size. */
export const cases = (scale: number): Case[] => [
  {
    title: '10,000 mails (121 MB) in 10 folders',
    shape: { folders: 10, mailsPerFolder: 1000 * scale, meanSize: 12_100 },
    tools: [
      oursTcp,
      ...dovecots(doveadmTcp, oursToDovecot, doveadmToOurs),
      oursLocal,
      ...dovecots(doveadmLocal),
      rsync,
      cp,
    ],
  },
  {
    title: '20,000 small mails in one folder',
    shape: { folders: 1, mailsPerFolder: 20_000 * scale, meanSize: 800 },
    tools: [oursTcp, ...dovecots(doveadmTcp, oursToDovecot, doveadmToOurs), rsync],
  },
  {
    title: '1,000 folders of 10 mails',
    shape: { folders: 1000 * scale, mailsPerFolder: 10, meanSize: 3000 },
    tools: [oursTcp, ...dovecots(doveadmTcp), rsync],
  },
];

/** How time and memory grow with the mails of one folder. */
export interface Growth {
  readonly mails: readonly number[];
  readonly seconds: readonly number[];
  /** Slope of log(time) over log(mails): 1 is linear. */
  readonly exponent: number;
  /** Peak resident memory in MB of the larger of our two processes, for each size. */
  readonly peakMb: readonly number[];
}

/** Least squares in logarithms. */
const slope = (mails: readonly number[], seconds: readonly number[]): number => {
  const x = mails.map(Math.log);
  const y = seconds.map(Math.log);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const over = x.reduce((sum, value, index) => sum + (value - meanX) * ((y[index] ?? 0) - meanY), 0);
  return over / x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
};

/** First copies of one folder of 5,000 to 40,000 small mails, over TCP. */
export const measureGrowth = async (folder: string, scale: number, start: Start): Promise<Growth> => {
  const mails = [5000, 10_000, 20_000, 40_000].map((count) => count * scale);
  const seconds: number[] = [];
  const peakMb: number[] = [];
  for (const mailsPerFolder of mails) {
    const below = join(folder, String(mailsPerFolder));
    await mkdir(below, { recursive: true, mode: 0o755 });
    const shape = { folders: 1, mailsPerFolder, meanSize: 800 };
    await makeMaildir(join(below, 'model'), shape);
    await using tool = await start(below, await served(below, join(below, 'model')));
    const run = await firstCopy(tool, shape);
    seconds.push(run.seconds);
    peakMb.push(Math.max(run.peakMb, tool.serverPeakMb()));
  }
  return { mails, seconds, exponent: slope(mails, seconds), peakMb };
};
