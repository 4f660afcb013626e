/** The measurements as a table of ratios to the peer in the same run, and against what is to be reached. */
import type { Growth, Row } from './cases.ts';
import { median } from './measure.ts';

/** All that one run of the benchmarks measured: what `--json` writes. */
export interface Results {
  readonly machine: string;
  readonly date: string;
  readonly quick: boolean;
  readonly rows: readonly Row[];
  readonly growth: Readonly<Record<string, Growth>>;
}

const peerOf = (rows: readonly Row[], row: Row): Row | undefined => {
  const way = row.tool.endsWith('local') ? 'local' : 'tcp';
  return rows.find((other) => other.case === row.case && other.tool === `doveadm, ${way}`);
};

/** How many times faster than doveadm in the same case; undefined without doveadm. */
export const ratioToDoveadm = (rows: readonly Row[], row: Row): number | undefined => {
  const peer = peerOf(rows, row);
  return peer === undefined || peer === row ? undefined : median(peer.seconds) / median(row.seconds);
};

const cells = (rows: readonly Row[], row: Row): string[] => {
  const ratio = ratioToDoveadm(rows, row);
  const memory = (value: number | undefined): string => (value === undefined || value === 0 ? '' : value.toFixed(0));
  return [
    row.case,
    row.tool,
    median(row.seconds).toFixed(2),
    ratio === undefined ? '' : `${ratio.toFixed(1)} ×`,
    memory(row.clientMb),
    memory(row.serverMb),
  ];
};

const printTable = (lines: readonly (readonly string[])[]): string => {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const print = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - cell.length)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [print(lines[0] ?? []), rule, ...lines.slice(1).map(print)].join('\n');
};

interface Target {
  readonly text: string;
  readonly measured: string;
  readonly reached: boolean;
}

const ourRow = (rows: readonly Row[], part: string, tool: string): Row | undefined =>
  rows.find((row) => row.case.includes(part) && row.tool === tool);

const fasterThan = (rows: readonly Row[], part: string, tool: string, wanted: number): Target[] => {
  const row = ourRow(rows, part, tool);
  const ratio = row === undefined ? undefined : ratioToDoveadm(rows, row);
  if (ratio === undefined) return [];
  const text = `${part} (${tool}): at least ${wanted} × doveadm's speed`;
  return [{ text, measured: `${ratio.toFixed(2)} ×`, reached: ratio >= wanted }];
};

/** What is to be reached, with what was measured; without doveadm only the rows that need none. */
export const targets = ({ rows, growth }: Results): Target[] => {
  const grown = Object.values(growth).flatMap(({ peakMb }) => peakMb);
  const peak = Math.max(0, ...grown, ...rows.flatMap(({ clientMb = 0, serverMb = 0 }) => [clientMb, serverMb]));
  const idle = [...new Set(rows.map((row) => row.case))].filter((name) => name.endsWith('nothing to do'));
  return [
    ...fasterThan(rows, '10 folders: first copy', 'dsync, tcp', 4),
    ...fasterThan(rows, '10 folders: first copy', 'dsync, local', 4),
    ...fasterThan(rows, 'one folder: first copy', 'dsync, tcp', 10),
    ...fasterThan(rows, '1,000 folders of 10 mails: first copy', 'dsync, tcp', 4),
    ...['10 folders: first copy', 'one folder: first copy'].flatMap((part) => [
      ...fasterThan(rows, part, 'dsync to a Dovecot, tcp', 1),
      ...fasterThan(rows, part, 'doveadm to dsync-server, tcp', 3),
    ]),
    ...idle.flatMap((name) => fasterThan(rows, name, 'dsync, tcp', 0.5)),
    ...Object.entries(growth)
      .filter(([tool]) => tool === 'dsync')
      .map(([, { exponent }]) => ({
        text: 'growth exponent at most 1.1',
        measured: exponent.toFixed(2),
        reached: exponent <= 1.1,
      })),
    { text: 'memory of each of our processes under 200 MB', measured: `${peak.toFixed(0)} MB`, reached: peak < 200 },
  ];
};

/** The results as tables for a terminal. */
export const printReport = (results: Results): string => {
  const heading = ['case', 'tool', 'seconds', 'than doveadm', 'client MB', 'server MB'];
  const growth = Object.entries(results.growth).flatMap(([tool, { mails, seconds, peakMb, exponent }]) => [
    ...mails.map((count, index) => [
      tool,
      String(count),
      seconds[index]?.toFixed(2) ?? '',
      peakMb[index] ? peakMb[index].toFixed(0) : '',
    ]),
    [tool, 'exponent', exponent.toFixed(2), ''],
  ]);
  return [
    `${results.machine}, ${results.date}${results.quick ? ' (quick: a tenth of the size)' : ''}`,
    '',
    printTable([heading, ...results.rows.map((row) => cells(results.rows, row))]),
    '',
    'First copy of one folder that grows, over TCP:',
    '',
    printTable([['tool', 'mails', 'seconds', 'peak MB'], ...growth]),
    '',
    printTable([
      ['to be reached', 'measured', ''],
      ...targets(results).map((target) => [target.text, target.measured, target.reached ? 'yes' : 'NO']),
    ]),
    '',
  ].join('\n');
};
