import type { MailCounts, TreeCounts } from '@dsync/sync';

import type { Result } from './result.ts';

/** What is counted, as one of it and as several are called. */
const WORDS: readonly (readonly [keyof (MailCounts & TreeCounts), one: string, several: string])[] = [
  ['saved', 'saved', 'saved'],
  ['copied', 'copied', 'copied'],
  ['flagged', 'flagged', 'flagged'],
  ['expunged', 'expunged', 'expunged'],
  ['renumbered', 'renumbered', 'renumbered'],
  ['mailboxesCreated', 'mailbox created', 'mailboxes created'],
  ['mailboxesRenamed', 'mailbox renamed', 'mailboxes renamed'],
  ['mailboxesDeleted', 'mailbox deleted', 'mailboxes deleted'],
  ['subscriptions', 'subscription changed', 'subscriptions changed'],
];

function changes(counts: MailCounts & TreeCounts): string {
  const parts = WORDS.filter(([key]) => counts[key] > 0).map(
    ([key, one, several]) => `${counts[key]} ${counts[key] === 1 ? one : several}`,
  );
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

/** What a person wants to know of a run, in a few lines. */
export function printSummary(result: Result): string {
  const seconds = (result.durationMs / 1000).toFixed(result.durationMs < 10_000 ? 2 : 0);
  const { local, remote } = result.totals;
  return [
    `${result.user}: ${result.mode} done in ${seconds} s (${result.dialect ?? 'no'} dialect, ${size(result.bytesIn)} in, ${size(result.bytesOut)} out)`,
    `  local:  ${changes(local)}`,
    `  remote: ${changes(remote)}`,
    '',
  ].join('\n');
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit] ?? ''}`;
}
