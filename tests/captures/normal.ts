/** Messages of one side of a session, without what the protocol leaves open and what a store may do without. */
import { compareBytes, type Message, type Received } from '@dsync/protocol';

/** A message without the members that do not count. */
export type Plain = Readonly<Record<string, unknown>> & { readonly kind: Message['kind'] };

/**
 * Left out: host names and the interval of commits; names that stand only for what lies below them; the hints of a mailbox's
 * cache; flags where none is set, since \Recent does not travel; modseqs of expunges, which only dsync tells; the escape character of names, of which dsync has none.
 * In one order: names of the tree, deletions, requests for mails, and the mails, of which we send the first of each hundred last.
 */
export function normal(messages: readonly Received[]): readonly Plain[] {
  const plain: readonly Plain[] = messages.filter((message) => !isFiller(message)).map(bare);
  return ORDERED.reduce((sorted, [kind, key]) => sortRuns(sorted, kind, key), plain);
}

const ORDERED: readonly (readonly [Plain['kind'], (message: Plain) => string])[] = [
  ['treeNode', (m) => JSON.stringify(m['path'])],
  ['mailRequest', (m) => String(m['uid']).padStart(10, '0')],
  ['mail', (m) => JSON.stringify([m['guid'], m['uid']])],
];

function isFiller(message: Received): boolean {
  if (message.kind !== 'treeNode' || message.existence === 'y') return false;
  return message.subscribed !== true && message.subscriptionChangedAt === undefined && message.renamedAt === undefined;
}

function bare(message: Received): Plain {
  switch (message.kind) {
    case 'handshake': {
      const { hostname: _hostname, commitInterval: _interval, ...rest } = message;
      return rest;
    }
    case 'mailboxDelete': {
      const { escapeChar: _escape, kind, ...rest } = message;
      const members = Object.entries(rest).map(([name, value]): readonly [string, unknown] => [
        name,
        Array.isArray(value) ? value.map(printed).toSorted() : value,
      ]);
      return { ...Object.fromEntries(members), kind };
    }
    case 'mailbox': {
      const { cacheFields: _hints, ...rest } = message;
      return rest;
    }
    case 'mailChange': {
      const { finalFlags, modseq, ...rest } = message;
      return { ...rest, ...(finalFlags ? { finalFlags } : {}), ...(message.type === 'e' ? {} : { modseq }) };
    }
    default:
      return message;
  }
}

function printed(value: unknown): string {
  return JSON.stringify(value);
}

/** Sorts what stands together of one kind. */
function sortRuns(messages: readonly Plain[], kind: Plain['kind'], key: (message: Plain) => string): readonly Plain[] {
  const sorted: Plain[] = [];
  let run: Plain[] = [];
  const end = (): void => {
    sorted.push(...run.toSorted((a, b) => compareBytes(key(a), key(b))));
    run = [];
  };
  for (const message of messages) {
    if (message.kind === kind) {
      run.push(message);
      continue;
    }
    end();
    sorted.push(message);
  }
  end();
  return sorted;
}
