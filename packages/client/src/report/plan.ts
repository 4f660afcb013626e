/** The plan of a dry run, as data and as text. */
import { oneLine } from '@dsync/protocol';
import type { MailOperation, SyncReport, TreeOperation } from '@dsync/sync';

interface SidePlan {
  readonly tree: readonly TreeOperation[];
  readonly mailboxes: readonly { readonly name: string; readonly operations: readonly MailOperation[] }[];
}

/** What `--dry-run` would do at each end, as `--json` prints it. */
export interface PlanObject {
  readonly local: SidePlan;
  readonly remote: SidePlan;
}

/** The plan of a dry run's report, without the mailboxes that have nothing to do. @param separator between the parts of names */
export function planOf(report: SyncReport, separator: string): PlanObject {
  const side = (which: 'local' | 'remote'): SidePlan => ({
    tree: report.treePlan?.[which] ?? [],
    mailboxes: report.mailboxes
      .map(({ path, plan }) => ({ name: path.join(separator), operations: plan?.[which] ?? [] }))
      .filter(({ operations }) => operations.length > 0),
  });
  return { local: side('local'), remote: side('remote') };
}

/** One line for each operation, with the rule that made it. */
export function printPlan(plan: PlanObject, separator: string): string {
  const lines: string[] = [];
  for (const side of ['local', 'remote'] as const) {
    const { tree, mailboxes } = plan[side];
    if (tree.length === 0 && mailboxes.length === 0) continue;
    lines.push(`${side}:`);
    for (const operation of tree) lines.push(`  ${printTreeOperation(operation, separator)}`);
    for (const { name, operations } of mailboxes) {
      lines.push(`  ${shown(name)}`);
      for (const operation of operations) lines.push(`    ${printMailOperation(operation)}`);
    }
  }
  return lines.length === 0 ? 'nothing to do: both sides are equal\n' : `${lines.join('\n')}\n`;
}

/** Names, GUIDs and keywords can come from a peer: what would steer a terminal is not printed. */
const shown = (line: string): string => oneLine(line, MAX_LINE);

/** Longer than any name that a store accepts. */
const MAX_LINE = 4000;

/** One line without control characters, cut at `MAX_LINE`; the rule that made the operation stands at its end. */
export function printTreeOperation(operation: TreeOperation, separator: string): string {
  return shown(treeOperation(operation, separator));
}

function treeOperation(operation: TreeOperation, separator: string): string {
  const name = (path: readonly string[]): string => path.join(separator);
  switch (operation.op) {
    case 'rename':
      return `rename mailbox ${name(operation.from)} to ${name(operation.to)} (${operation.rule})`;
    case 'create':
      return `create mailbox ${name(operation.path)} (${operation.rule})`;
    case 'delete':
      return `delete mailbox ${name(operation.path)} (${operation.rule})`;
    case 'adopt-guid':
      return `give mailbox ${name(operation.path)} the GUID ${operation.to} (${operation.rule})`;
    case 'create-directory':
      return `create folder ${name(operation.path)} (${operation.rule})`;
    case 'delete-directory':
      return `delete folder ${name(operation.path)} (${operation.rule})`;
    case 'subscribe':
    case 'unsubscribe':
      return `${operation.op} ${name(operation.path)} (${operation.rule})`;
    default:
      return operation satisfies never;
  }
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [0x01, '\\Answered'],
  [0x02, '\\Flagged'],
  [0x04, '\\Deleted'],
  [0x08, '\\Seen'],
  [0x10, '\\Draft'],
];

function flagList(flags: number, keywords: readonly string[]): string {
  return `[${[...FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name), ...keywords].join(' ')}]`;
}

/** As `printTreeOperation`. */
export function printMailOperation(operation: MailOperation): string {
  return shown(mailOperation(operation));
}

function mailOperation(operation: MailOperation): string {
  switch (operation.op) {
    case 'save':
      return `save UID ${operation.uid} ${flagList(operation.flags, operation.keywords)} ${operation.guid} (${operation.rule})`;
    case 'copy':
    case 'keep':
      return `${operation.op} UID ${operation.from} as ${operation.uid} ${flagList(operation.flags, operation.keywords)} (${operation.rule})`;
    case 'renumber':
      return `renumber UID ${operation.from} to ${operation.to} (${operation.rule})`;
    case 'flag':
      return `flag UID ${operation.uid} ${flagList(operation.flags, operation.keywords)} (${operation.rule})`;
    case 'expunge':
      return `expunge UID ${operation.uid} ${operation.guid} (${operation.rule})`;
    default:
      return operation satisfies never;
  }
}
